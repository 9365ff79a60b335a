package parser

import (
	"slices"
	"strings"

	"ldirectord/internal/lvs"
)

// readFallback reads the last two words, server and method, as the Perl ldirectord does. A single word is the server.
// If readFallback refuses the value, an earlier value remains.
func readFallback(v *value) {
	list := words(v.text)
	f := &realLine{line: v.line, Real: Real{Forward: lvs.Route, Weight: 1, At: v.position()}}
	last := len(list) - 1
	if last < 0 {
		v.refuse(badFallback, "the value is empty; it must be %s", fallbackForm)
		return
	}
	if last > 0 {
		known := false
		if f.Forward, known = lvs.Forwards[list[last]]; !known {
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
		host, port = word, "" // refused later, because it has no brackets
	}
	if host == "" {
		v.refuse(badFallback, "the address is missing; it must be %s", fallbackForm)
	}
	f.hosts, f.port = []string{host}, port
	switch {
	case v.problem != nil:
	case v.name == "alsofallback" && len(v.section.moreFallbacks) == maxAlsoFallbacks:
		v.refuse(tooLarge, "the section has more than %d lines of alsofallback", maxAlsoFallbacks)
	case v.name == "alsofallback":
		v.section.moreFallbacks = append(v.section.moreFallbacks, f)
	case v.section != nil:
		v.section.fallback = f
	case v.name == "fallback6":
		v.globals.fallback6 = f
	default:
		v.globals.fallback = f
	}
}

// HasOwnFallback reports whether the first of AllFallbacks is the section's own, not the global one. It needs the
// positions in At, which the daemon drops after a start or reload.
func (v *Virtual) HasOwnFallback() bool {
	return len(v.AllFallbacks) > 0 && (v.has("fallback") || v.has("fallback6"))
}

// maxAlsoFallbacks is the maximum number of alsofallback lines in a section.
const maxAlsoFallbacks = 16

// fallbacks sets the fallback servers of a section. Two that share an entry in the kernel's table are an error, or only
// a warning if one of their addresses was looked up.
func (r *resolver) fallbacks(a adviser) {
	firstLine, first := r.globals.fallback, a.global.fallbackOf(a.Virtual)
	if a.IPv6 {
		firstLine = r.globals.fallback6
	}
	if a.s.fallback != nil {
		firstLine, first = a.s.fallback, r.fallbackOf(a.s, a.s.fallback, a.Virtual)
	}
	if first != nil {
		a.AllFallbacks = []Real{*first}
	}
	if firstLine == nil && len(a.s.moreFallbacks) > 0 {
		a.refuse("alsofallback", incomplete, "alsofallback is given without fallback; give both or neither")
		return
	}
	lines := []*realLine{firstLine} // the lines of AllFallbacks
	u := r.namesOf(a.s, a.s.line, fallbackNames)
	for _, line := range a.s.moreFallbacks {
		f := r.fallbackOf(a.s, line, a.Virtual) // it also notes the name
		if f == nil || first == nil {
			continue
		}
		isSame := func(other Real) bool { return a.EntryOf(&other) == a.EntryOf(f) }
		switch i := slices.IndexFunc(a.AllFallbacks, isSame); {
		case i < 0:
			a.AllFallbacks, lines = append(a.AllFallbacks, *f), append(lines, line)
		case u.isName(line.hosts[0]) || u.isName(lines[i].hosts[0]):
			a.warn(repeated, f.At, "%s is already a fallback of this virtual, and is left out here", f.Addr)
		default:
			a.error(conflict, f.At, "%s is already a fallback of this virtual; write each once", f.Addr)
		}
	}
}

// brackets puts an IPv6 address in brackets, and removes brackets from other hosts. The Perl ldirectord ignores
// brackets here, but always reads the text after the last colon as a port.
func (v *value) brackets(host string) string {
	inner, ok := strings.CutPrefix(host, "[")
	inner = strings.TrimSuffix(inner, "]")
	switch isAddress := readsIPv6(inner); {
	case isAddress && !ok:
		v.warn(suspicious, "the IPv6 address %q has no brackets; before a port it must be in brackets", host)
		return "[" + host + "]"
	case ok && !isAddress:
		v.warn(suspicious, "%q has brackets, but is not an IPv6 address", host)
		return inner
	default:
		return host
	}
}

// cutPort splits ADDRESS:PORT. If the text after the last colon can't be a port, port is "".
func cutPort(s string) (host, port string) {
	colon := strings.LastIndexByte(s, ':')
	if colon < 0 || !all(s[colon+1:], isNameByte) {
		return s, ""
	}
	return s[:colon], s[colon+1:]
}
