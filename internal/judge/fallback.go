package judge

import (
	"net/netip"
	"slices"

	"ldirectord/internal/health"
)

// From the file: the fallback server serves while no other does.
var fallbackRule = Rule{"fallback", true, fallback}

// fallback puts the fallback server in service while no real server is up. While a server is unknown, the fallback
// server stays as it is.
func fallback(p *proposal) {
	sorry := p.fallback()
	if sorry == nil || p.up || p.NoFallback {
		return
	}
	if !p.unknown || p.FallbackIn || slices.ContainsFunc(p.Fallbacks, p.IsIn) {
		p.other(sorry.Dest, sorry.Dest.Weight)
	}
}

// fallbackWanted reports whether the fallback server should serve, and whether that is known.
func (c *Case) fallbackWanted() (wanted, known bool) {
	up, known := c.Available()
	known = known && len(c.Fallbacks) > 0
	return known && !up && !c.NoFallback, known
}

// ServedBy reports whether an address belongs to a real server that is up, or that may be: it has no result yet, and no
// fallback server was in service.
func (c *Case) ServedBy(addr netip.AddrPort) bool {
	for s := range c.Sharing(addr) {
		if s.IsUp() || s.State() == health.Unknown && !s.Drained() && !c.FallbackIn {
			return true
		}
	}
	return false
}

// fallback returns the fallback server that has to serve when no other server does. This is the first one that passes
// or is not checked. If there is no such server, it is one that already serves and has no result yet, otherwise the
// first one. Without fallback servers, fallback returns nil.
func (c *Case) fallback() (chosen *Member) {
	for i, m := range c.Fallbacks {
		if m.Unchecked {
			return m
		}
		switch its := c.FallbackServers[i].Health(); {
		case its == health.Up:
			return m
		case chosen == nil || its == health.Unknown && c.IsIn(m):
			chosen = m
		}
	}
	return chosen
}

// IsIn reports whether the table has a fallback server in service.
func (c *Case) IsIn(m *Member) bool {
	return c.Have.Weight(m.Dest.Addr) > 0 && !c.ServedBy(m.Dest.Addr)
}

// FallbackAt returns the index of the fallback server at an address of the table; negative if there is none.
func (s *Section) FallbackAt(addr netip.AddrPort) int {
	return slices.IndexFunc(s.Fallbacks, func(m *Member) bool { return m.Dest.Addr == addr })
}
