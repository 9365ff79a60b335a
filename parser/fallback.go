package parser

import "strings"

// fallbackLine is a sorry server as written.
type fallbackLine struct {
	line    line
	host    string
	port    string
	hasPort bool
	forward Forward

	addr     address
	tcp, udp port // a section's has tcp alone, for whatever its protocol is
}

func readGlobalFallback(ipv6 bool) setter[globals] {
	return func(g *globals, v *value) *problem {
		f, p := v.fallback()
		if p != nil {
			return p
		}
		if ipv6 {
			g.fallback6 = f
		} else {
			g.fallback = f
		}
		return nil
	}
}

func readFallback(s *section, v *value) *problem {
	f, p := v.fallback()
	if p == nil {
		s.fallback = f
	}
	return p
}

// fallback reads the last two words, as the reference does: server and method.
func (v *value) fallback() (*fallbackLine, *problem) {
	words := strings.Fields(v.text)
	f := &fallbackLine{line: v.line, forward: Gate}
	if len(words) == 0 {
		return nil, refuse(badFallback, "the value is empty; it is %s", FallbackServer)
	}
	if len(words) > 1 {
		method := Forward(words[len(words)-1])
		if method != Gate && method != Masq && method != IPIP {
			return nil, refuse(badForward, "%s is no forwarding method; behind a fallback's address only gate, masq or ipip may stand", quote(string(method)))
		}
		f.forward = method
		words = words[:len(words)-1]
	}
	if len(words) > 1 {
		v.warn(loose, "what stands before %s does not count", quote(words[len(words)-1]))
	}
	f.host, f.port, f.hasPort = cutPort(words[len(words)-1])
	if f.host == "" {
		return nil, refuse(badFallback, "the address is missing; it is %s", FallbackServer)
	}
	return f, nil
}

// cutPort parts ADDRESS:PORT where a port of the right letters stands at the end.
func cutPort(s string) (host, port string, ok bool) {
	colon := strings.LastIndexByte(s, ':')
	if colon < 0 || looksLikeIPv6(s) {
		return s, "", false
	}
	port = s[colon+1:]
	if port == "" || leading(port, isNameByte) != port {
		return s, "", false
	}
	return s[:colon], port, true
}
