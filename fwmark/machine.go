package fwmark

import (
	"slices"
	"strings"
)

// NothingSets reports whether no rule on this machine gives packets of a family that mark, or a bit of it, and all
// could be looked at.
func (m Machine) NothingSets(mark uint32, ipv6 bool) bool {
	return len(m.Unread) == 0 && !slices.ContainsFunc(m.Settings, func(s Setting) bool { return s.Gives(mark, ipv6) })
}

// Gives reports whether packets of a family may have that mark by this rule: the bits that it sets are those of
// the mark, and at least one of them is 1.
func (s Setting) Gives(mark uint32, ipv6 bool) bool {
	family := s.IPv6 == ipv6 || s.BackEnd == Native && !strings.HasPrefix(s.Chain, "ip") // inet and netdev have both
	return family && (s.Mark^mark)&s.Mask == 0 && s.Mark&s.Mask != 0
}

// Uses reports whether packets of a family with that mark are routed by this rule.
func (r RoutingRule) Uses(mark uint32, ipv6 bool) bool {
	return r.IPv6 == ipv6 && (r.Mark^mark)&r.Mask == 0 && r.Mask != 0
}
