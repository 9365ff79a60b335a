package parser

import (
	"strings"

	"ldirectord/internal/lvs"
)

// readFallback reads the last two words, as the Perl ldirectord does: server and method. A value that is refused leaves
// the earlier one.
func readFallback(v *value) {
	list := words(v.text)
	f := &realLine{line: v.line, server: Real{Forward: lvs.Route, Weight: 1, At: v.line.position()}}
	last := len(list) - 1
	if last < 0 {
		v.refuse(badFallback, "the value is empty; it must be %s", fallbackForm)
		return
	}
	if last > 0 {
		known := false
		if f.server.Forward, known = lvs.Forwards[list[last]]; !known {
			v.refuse(badForward, "%q is not a forwarding method; after a fallback's address only gate, "+
				"masq or ipip is allowed", list[last])
		}
		last--
	}
	word := list[last]
	if last > 0 {
		v.warn(loose, "the text before %q is ignored", word)
	}
	host, port := cutPort(word)
	host = v.brackets(host)
	if readsIPv6(word) && !strings.HasPrefix(host, "[") {
		host, port = word, "" // wrong because of its brackets
	}
	if host == "" {
		v.refuse(badFallback, "the address is missing; it must be %s", fallbackForm)
	}
	f.hosts, f.port = []string{host}, port
	switch {
	case v.problem != nil:
	case v.section != nil:
		v.section.fallback = f
	case v.line.name == "fallback6":
		v.globals.fallback6 = f
	default:
		v.globals.fallback = f
	}
}

// brackets puts an IPv6 address in brackets, and removes brackets from other hosts. The Perl ldirectord ignores
// brackets here, but always reads the text after the last colon as a port.
func (v *value) brackets(host string) string {
	inner, ok := strings.CutPrefix(host, "[")
	inner = strings.TrimSuffix(inner, "]")
	switch isAddress := readsIPv6(inner); {
	case isAddress && !ok:
		v.warn(suspicious, "the IPv6 address %q is in brackets before a port", host)
		return "[" + host + "]"
	case ok && !isAddress:
		v.warn(suspicious, "%q is not an IPv6 address and has no brackets", host)
		return inner
	default:
		return host
	}
}

// cutPort splits ADDRESS:PORT, if the end can be a port.
func cutPort(s string) (host, port string) {
	colon := strings.LastIndexByte(s, ':')
	if colon < 0 || !all(s[colon+1:], isNameByte) {
		return s, ""
	}
	return s[:colon], s[colon+1:]
}
