package judge

import (
	"slices"
	"time"

	"ldirectord/internal/health"
	"ldirectord/internal/lvs"
)

// From the kernel: while others serve, one server at a time changes to gate when its connections have ended.
var rerouteRule = Rule{"rerouted", true, rerouted}

// rerouted delays the change to gate while a server has connections. If others serve, one server at a time gets no new
// connections. It changes to gate when its connections have ended, and then the next one follows. The reason is that
// the kernel caches one route for each destination. A packet of an old connection makes the kernel cache a route that
// is wrong for gate. The kernel then sends ARP requests for the virtual address, and no new client gets an answer, even
// after that connection has ended.
func rerouted(p *proposal) {
	left, may := false, p.MayReroute(p.Have)
	for s := range p.all() {
		now, in := p.Have.At(s.Dest.Addr)
		wanted, placed := p.Places[s.Dest.Addr]
		s.Rerouted = may && in && s.Reroutes(now) && placed && wanted.Forward == lvs.Route && s.Connected
		if !s.Rerouted {
			continue
		}
		delete(p.Places, now.Addr)
		// otherwise a held server would return without a success
		leaves := !left && wanted.Weight > 0 && !s.Held && p.serving(false)
		// one may have lost its weight earlier, and have no result since
		left = left || leaves || wanted.Weight == 0 && s.State() == health.Unknown
		if leaves {
			wanted.Weight, s.Climbs = 0, time.Time{}
		}
		now.Weight = wanted.Weight
		p.Places[now.Addr], s.Why = now, p.by
	}
}

// MayReroute reports whether a server that is configured for gate may still have another forwarding method in the
// table.
func (s *Section) MayReroute(have lvs.Dests) bool {
	return slices.ContainsFunc(s.Members, func(m *Member) bool { return m.Dest.Forward == lvs.Route }) &&
		slices.ContainsFunc(have, func(now lvs.Dest) bool { return now.Forward != lvs.Route })
}

// Reroutes reports whether a member that is configured for gate has another forwarding method in the table.
func (m *Member) Reroutes(now lvs.Dest) bool {
	return now.Forward != lvs.Route && m.Dest.Forward == lvs.Route
}

// Counted notes the connections of a server that is to change to gate. A server without connections changes to gate at
// the next write.
func (s *Server) Counted(connections uint32) {
	s.Connected = connections > 0
	s.Rerouted = s.Rerouted && s.Connected
}
