package parser

import (
	"encoding/binary"
	"math"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"ldirectord/internal/lvs"
)

// This file reads the values of directives for the virtual service.

// readProtocol reads the protocol. Under a mark it ignores tcp and udp, because a mark has no protocol.
func readProtocol(v *value) lvs.Protocol {
	word, isMark := v.word(), v.section.Mark > 0
	protocol, known := map[string]lvs.Protocol{"tcp": lvs.TCP, "udp": lvs.UDP, "fwm": lvs.Mark}[word]
	switch {
	case known && isMark == (protocol == lvs.Mark):
		v.only(word)
	case known && isMark:
		v.wrong("a firewall mark has no protocol; %s is dropped, fwm is allowed", word).tolerated = true
	case isMark:
		v.bad("is not allowed under a firewall mark; it must be fwm")
	default:
		v.bad("is not allowed for an address and port; it must be tcp or udp")
	}
	return protocol
}

// schedulers are the schedulers of Linux 6. The kernel may have others, so unknown names are accepted.
var schedulers = strings.Fields("rr wrr lc wlc lblc lblcr dh sh sed nq mh fo ovf twos")

func readScheduler(v *value) string {
	name := firstRun(v.text, isLower)
	if name == "" {
		v.bad("is not a scheduler; it must be a name in lower case, such as wrr")
	}
	v.only(name)
	if !slices.Contains(schedulers, name) {
		v.warn(suspicious, "%q is not a scheduler of the standard kernel; it has %s", name,
			strings.Join(schedulers, " "))
	}
	return name
}

func readSchedFlags(v *value) string {
	flags, _ := cutWord(unquote(v.text))
	if flags == "" {
		v.wrong("the value is empty; it must be a list of flags, separated by commas without blanks, such as " +
			"sh-port,sh-fallback")
	}
	v.only(flags)
	return flags
}

// Netmask says which addresses count as one client for persistence. The zero Netmask means that no netmask is written.
type Netmask struct {
	Bits uint32 // for IPv4 the mask, for IPv6 the prefix length, 1 to 128
	text string
}

// String returns the netmask as written.
func (m Netmask) String() string { return m.text }

func readNetmask(v *value) Netmask {
	if v.section.IPv6 {
		n, ok := natural(v.text, 1, 128)
		if !ok {
			v.bad("is not a prefix length; it must be a number from 1 to 128")
		}
		return Netmask{uint32(n), strconv.Itoa(n)}
	}
	// The C library also reads other forms (hexadecimal, octal, fewer numbers), which nobody intends.
	mask, _ := netip.ParseAddr(v.text)
	if !mask.Is4() {
		v.bad("is not a netmask; it must be four numbers from 0 to 255 with dots, such as 255.255.255.0")
		return Netmask{}
	}
	bits := binary.BigEndian.Uint32(mask.AsSlice())
	if bits|(bits-1) != math.MaxUint32 {
		v.warn(suspicious, "the netmask %s has holes", mask)
	}
	return Netmask{bits, v.text}
}
