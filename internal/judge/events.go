package judge

import (
	"net/netip"
	"slices"
	"time"

	"ldirectord/internal/health"
	"ldirectord/internal/lvs"
)

// The events of a case. Each method notes a fact. An event may take a server out of service, but only a decision puts
// it back.

// Result notes a check's result for a server, and reports whether this changed the server's Health.
func (c *Case) Result(s *Server, check *Check, ok bool, loss Loss) (turned bool) {
	was, served := s.Health(), c.Serves(s) && (s.Entered || !c.IsOurs())
	check.Health = check.Health.Next(ok, c.Rule)
	check.Proven = check.Proven || ok && check.Health.State == health.Up
	if !ok {
		check.Loss = loss
	}
	if s.Health() == was {
		return false
	}
	s.Turned = follow(c, s, served) || s.Turned
	return true
}

// Learn notes the last result of a check that already runs for other servers. This way, the state of an unknown server
// is known at once.
func (c *Check) Learn(r health.Rule, ok bool, loss Loss) {
	c.Health, c.Loss, c.Proven = c.Health.Next(ok, r), loss, ok
}

// Learned is called after Learn if the server's Health has changed. A change by hand then ends as it does after a
// result.
func (c *Case) Learned(s *Server) { s.Turned = follow(c, s, s.Held || s.Kept) || s.Turned }

// Hold marks a server as held if it fails or asks to be left out. The guard decides later whether it stays held. If
// serves is not set, the server can't be in service, and Hold does nothing.
func (s *Server) Hold(serves bool) {
	s.Held = s.Held || serves && (s.Health() == health.Down || s.Asks() > health.NoAdmin)
}

// follow adopts the Health of a server, and reports whether the table may change. The argument served means that the
// server was in service. If such a server goes down, it is either held or noted as fallen. It is noted even if no
// directive delays its return, because a reload may add one.
func follow(c *Case, s *Server, served bool) bool {
	was := s.Held
	switch s.Health() {
	case health.Down:
		s.Held, s.Kept = false, false
		s.Hold(served && c.guards() && !s.Backup)
		s.Entered = s.Entered && s.Held
		s.Fallen = s.Fallen || served && !s.Held
	case health.Up:
		s.Held, s.Looks = s.Held && s.Asks() > health.NoAdmin, 0
		if s.Fallen && !c.delaysReturn(s) {
			s.Forgive()
		}
	}
	return !was && !s.Held
}

// Assume notes that the server has a weight in the table when the daemon starts. It counts as up until its checks fail.
func (s *Server) Assume() {
	s.AssumeAll(health.Assume(health.Up))
	s.Entered = true
}

// AssumeAll sets the state of all checks of a server.
func (s *Server) AssumeAll(h health.Health) {
	for _, check := range s.Checks() {
		check.Health = h
	}
}

// Ordered notes a new order from the operator. A held server that is drained keeps its connections. When the drain
// ends, such a server is taken out, and returns only after a check has passed.
func (s *Server) Ordered(o Order) {
	wasDrained := s.Drained()
	s.Order = o
	if s.Suspended() || wasDrained && !s.Drained() {
		s.goOut()
	}
	if s.Drained() {
		s.Kept, s.Entered = false, false
	}
	s.Turned = true
}

// Maintained notes whether a file takes a server out for maintenance.
func (s *Server) Maintained(out bool) {
	s.File = out
	s.goOut()
	s.Turned = true
}

// goOut ends every reason to keep a failing server in service.
func (s *Server) goOut() { s.Held, s.Kept, s.Entered = false, false, false }

// Vanished notes that the virtual service is no longer in the table, although this director did not remove it.
func (s *State) Vanished() {
	clear(s.ByHand)
	for i := range s.Servers {
		s.Servers[i].Rerouted = false // its old connections ended with the virtual service
	}
	s.Have, s.Known = lvs.Dests{}, false
}

// Lost notes that the contents of the table are unknown, because it is unclear which changes were made.
func (s *State) Lost() {
	if s.Have != nil {
		s.Last = s.Have
	}
	s.Have, s.Known = nil, false
}

// Did notes that one destination was changed. If the contents of the table are unknown, they stay unknown.
func (s *State) Did(d lvs.Dest, removed bool) {
	switch {
	case s.Have == nil:
	case removed:
		s.Have.Remove(d.Addr)
	default:
		s.Have.Put(d)
	}
}

// Read notes the contents of the table. While some servers have no address yet, an unassigned destination may belong to
// one of them. A server with weight 0 is out, whatever was known before, so it is not held if it fails.
func (c *Case) Read(have lvs.Dests) {
	pending, of := c.pending()
	c.Starts = c.Starts || pending > 0 && pending == of && !have.Serve()
	c.Have = have
	for s := range c.all() {
		d, in := have.At(s.Dest.Addr)
		s.Entered = s.Entered && !(in && d.Weight == 0)
	}
	if len(c.Waiting) > 0 && c.Found == nil {
		c.Found = map[netip.AddrPort]bool{}
		for _, d := range have {
			if c.IsNobodys(d.Addr) {
				c.Found[d.Addr] = true
			}
		}
	}
}

// Wrote notes that the table now matches the decision. have is not nil, even if it is empty: nil means that the
// contents of the table are unknown.
func (c *Case) Wrote(have lvs.Dests) {
	c.Have, c.Last, c.Known = have, nil, true
	for s := range c.all() {
		s.Turned, s.Entered = false, have.Weight(s.Dest.Addr) > 0
		s.Kept = s.Kept && s.Entered
	}
	if wanted, known := c.fallbackWanted(); known {
		c.FallbackWanted = wanted
	}
	c.Departing = slices.DeleteFunc(c.Departing, func(l Departure) bool {
		_, in := have.At(l.Addr)
		return !in
	})
	c.WroteSome()
}

// WroteSome notes that the table matches only a part of the decision, because the kernel refused the rest.
func (c *Case) WroteSome() { c.FallbackIn = slices.ContainsFunc(c.Fallbacks, c.IsIn) }

// Left notes that this director is on standby and has removed the section from the table, or left it there.
func (c *Case) Left() {
	c.LeftIn = c.Remains && c.Beside == ""
	c.Have, c.Last, c.Known, c.FallbackIn, c.Backed = nil, nil, false, false, false
	c.Found, c.Departing = nil, nil
	for i := range c.Servers {
		c.Servers[i].Climbs, c.Servers[i].Failed = time.Time{}, time.Time{}
	}
	clear(c.ByHand)
}
