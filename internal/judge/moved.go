package judge

import (
	"net/netip"

	"ldirectord/internal/health"
)

// From a host name: the server at the former address is removed when it fails, or when the one at the new address is
// up.
var movedRule = Rule{"moved", false, moved}

var movedKind = Kind{Name: "moved", Trouble: Noted, Says: func(v View) string {
	if v.One.MovedTo < 0 {
		return ""
	}
	return "its name has a new address; this server stays until it fails, or " +
		"until the one at the new address is up"
}}

// From keepserving: the server at a former address is removed when the guard releases it.
var movedAgainRule = Rule{"given up", false, moved}

// moved removes servers at former addresses that are no longer needed. A server in maintenance is no longer needed once
// the server at the new address, which is in maintenance too, passes its checks.
func moved(p *proposal) {
	for s := range p.all() {
		if s.MovedTo < 0 {
			continue
		}
		to := &p.Servers[s.MovedTo]
		replaced := to.State() == health.Up && (to.Order.Kind == Drain || !to.Drained()) ||
			s.Suspended() && to.Health() == health.Up
		if s.Gone = replaced || !s.works(); !s.Gone {
			continue
		}
		if s.Why = p.by; p.IsOurs() {
			p.SendOff(Departure{Addr: s.Dest.Addr}, p.now)
		}
	}
}

// WouldServe reports whether the server at an address that its name no longer has may stay until the server at the new
// address is up. It may if it has not failed, and is in the table or passes its checks.
func (c *Case) WouldServe(addr netip.AddrPort) bool {
	s := c.At(addr)
	_, in := c.WeightAt(addr)
	return s != nil && s.works() && (in || s.Health() == health.Up)
}
