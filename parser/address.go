package parser

import (
	"math"
	"net/netip"
	"regexp"
	"strings"

	"ldirectord/internal/lvs"
)

// header is the value of virtual or virtual6.
type header struct {
	line    line
	lvs.Key        // its family and mark
	host    string // as written; "" for a mark, and for a header that was refused
	port    string // number or service name
}

// read reads an address and port, or a mark. It warns of any further text except a comment. The Perl ldirectord ignores
// that text.
func (h *header) read(v *value) {
	word := leading(v.text, func(c byte) bool { return !isSpace(c) && c != '#' })
	if rest := trim(v.text[len(word):]); rest != "" && rest[0] != '#' {
		v.warn(loose, "the text after %q is ignored", word)
	}
	switch {
	case all(word, isDigit):
		mark, ok := natural(word, 1, math.MaxUint32)
		if !ok {
			v.refuse(badVirtualAddress, "the firewall mark %q is out of range; %s", word, headerForms)
			return
		}
		h.Mark = uint32(mark)
	case strings.HasPrefix(word, "["):
		h.readBracketed(v, word)
	default:
		h.readAddress(v, word)
	}
}

const headerForms = "it must be ADDRESS:PORT or a firewall mark from 1 to 4294967295"

func (h *header) readBracketed(v *value, word string) {
	host, port, _ := strings.Cut(word[1:], "]:")
	port = v.portOf(port)
	ok := readsIPv6(host)
	switch {
	case port == "":
		v.refuse(badVirtualAddress, "%q is not an address and port; it must be [ADDRESS]:PORT", word)
	case !h.IPv6 && (ok || all(host, isGroupByte)):
		v.refuse(v6UnderVirtual, "virtual has an IPv6 address; use virtual6 for it")
	case !ok:
		v.refuse(badVirtualAddress,
			"%q is not an IPv6 address; it must be groups of hexadecimal digits separated by colons, "+
				"without a scope", host)
	default:
		h.host, h.port = "["+host+"]", port
	}
}

func (h *header) readAddress(v *value, word string) {
	host, port, ok := strings.Cut(word, ":")
	switch {
	case looksLikeIPv6(word):
		v.refuse(badVirtualAddress, "the IPv6 address %q has no brackets; write virtual6=[ADDRESS]:PORT", word)
	case !ok:
		v.refuse(badVirtualAddress, "%q has no port; %s", word, headerForms)
	case !all(host, isHostByte):
		v.refuse(badVirtualAddress, "%q is not an address and port; %s", word, headerForms)
	case host == "tcp" || host == "udp":
		v.refuse(badVirtualAddress,
			"%q comes before the address; write it on a line of its own, as protocol=%s", host+":", host)
	default:
		if port = v.portOf(port); port == "" {
			v.refuse(badVirtualAddress,
				"%q has no port; it must be a number or service name right after the colon", word)
			return
		}
		h.host, h.port = host, port
	}
}

// portOf returns the port at the start of a text. It warns of text after the port, which the Perl ldirectord ignores.
func (v *value) portOf(text string) string {
	port := leading(text, isNameByte)
	if port != "" && port != text {
		v.warn(loose, "the text after port %q is ignored", port)
	}
	return port
}

// maxHostLength is the maximum length of a host name (RFC 1035, section 2.3.4).
const maxHostLength = 255

// readsIPv6 reports whether a text is an IPv6 address that has no scope and is not IPv4-mapped.
func readsIPv6(s string) bool {
	a, _ := netip.ParseAddr(s)
	return isIPv6(a)
}

func isIPv6(a netip.Addr) bool { return a.Is6() && !a.Is4In6() && a.Zone() == "" }

// looksLikeIPv6 reports whether a text is an IPv6 address without brackets, with or without a port.
func looksLikeIPv6(s string) bool {
	return strings.Count(s, ":") >= 2 && (readsIPv6(s) || readsIPv6(s[:strings.LastIndexByte(s, ':')]))
}

// numeric matches hosts that consist of decimal, octal or hexadecimal numbers, separated by dots. The C library reads
// up to four of them as an address, without a look-up.
var numeric = regexp.MustCompile(`^(?i)([0-9]+|0x[0-9a-f]*)(\.([0-9]+|0x[0-9a-f]*))*$`)
