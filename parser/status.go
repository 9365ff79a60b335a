package parser

import (
	"net/netip"
	"strings"
)

// This file reads where the daemon's state may be asked for.

// readListen takes an address and a port, both as numbers: a name could move what is meant for this
// machine to another interface.
func readListen(g *globals, v *value) *problem {
	const allowed = "it is an address and port such as 127.0.0.1:9797 or [::1]:9797"
	text := unquote(v.text)
	a, err := netip.ParseAddrPort(text)
	switch {
	case err != nil && strings.HasPrefix(text, ":") && all(text[1:], isDigit):
		return bad("%s has no address; %s, and every address is 0.0.0.0%s", quote(text), allowed, text)
	case err != nil || a.Addr().Zone() != "" || a.Addr().Is4In6():
		return bad("%s is not an address and port; %s", quote(text), allowed)
	case a.Port() == 0:
		return bad("port 0 cannot be asked; %s", allowed)
	}
	g.listen = a
	return nil
}

// longestGroup is the length of the longest name of a group (groupadd(8)).
const longestGroup = 32

func readStatusGroup(g *globals, v *value) *problem {
	name := unquote(v.text)
	if !all(name, func(c byte) bool { return isNameByte(c) || c == '.' }) || name[0] == '-' || len(name) > longestGroup {
		return bad("%s is not a group; it is a name of letters, digits, _ - and . with at most %d of them", quote(v.text), longestGroup)
	}
	g.statusGroup = name
	return nil
}
