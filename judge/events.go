package judge

import (
	"net/netip"
	"slices"
	"time"

	"ldirectord/checker/health"
	"ldirectord/lvs"
)

// What can happen to a case. Each of these notes a fact. A server that is out of service by one of them is put back by
// a decision alone.

// Result notes a result of a check of a server, and reports whether the server's verdict changed.
func (c *Case) Result(s *Server, check *Check, ok bool, loss Loss) (turned bool) {
	was, served := s.Verdict(), c.Serves(s) && (s.Entered || c.Theirs)
	check.Health, _ = check.Health.Next(ok, c.Rule)
	if !ok {
		check.Loss = loss
	}
	if s.Verdict() == was {
		return false
	}
	s.Turned = s.follow(served && c.guards()) || s.Turned
	return true
}

// Learn notes the last result of a check that other servers had before: it decides one that is unknown.
func (c *Check) Learn(r health.Rule, ok bool, loss Loss) {
	c.Health, _ = c.Health.Next(ok, r)
	c.Loss = loss
}

// Learned notes, after Learn, that the verdict of a server changed.
func (c *Case) Learned(s *Server) { s.follow((s.Held || s.Kept) && c.guards()) }

// follow takes over what the checks of a server say now. Holds: one that goes down is held; the guard decides whether
// it stays so. It reports whether that concerns the table.
func (s *Server) follow(holds bool) bool {
	was := s.Held
	switch s.Verdict() {
	case health.Down:
		s.Held, s.Kept = holds, false
		s.Entered = s.Entered && s.Held
	case health.Up:
		s.Held = false
	}
	return !was && !s.Held
}

// Assume notes, at a start, that the table has the server with a weight: it is up until its checks say otherwise.
func (s *Server) Assume() {
	s.AssumeAll(health.Assume(health.Up))
	s.Entered = true
}

// AssumeAll sets what all checks of a server say.
func (s *Server) AssumeAll(h health.Health) {
	for _, check := range s.Checks() {
		check.Health = h
	}
}

// Ordered notes another order of the operator. A held server that is drained keeps its connections, and goes when the
// drain ends: it comes back by a success alone.
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

// goOut ends what keeps a server in service whose checks do not pass.
func (s *Server) goOut() { s.Held, s.Kept, s.Entered = false, false, false }

// letGo ends that it is held.
func (s *Server) letGo() { s.Held, s.Entered, s.Turned = false, false, true }

// Changed notes that a destination was changed by hand, and reports whether that is kept: until the server's next
// transition or a reload. It is undone where repair says so, where another daemon empties the section, and where it is
// against maintenance. In reports whether the destination is still there.
func (c *Case) Changed(addr netip.AddrPort, in, empties bool) (kept bool) {
	s := c.At(addr)
	keptOut := s != nil && s.Suspended()
	if !c.Found[addr] && (c.Repair || empties || keptOut && (in || c.Readd)) {
		delete(c.ByHand, addr)
		return false
	}
	if c.ByHand == nil {
		c.ByHand = map[netip.AddrPort]bool{}
	}
	c.ByHand[addr] = true
	return true
}

// Vanished notes that the virtual service was taken out of the table by hand.
func (s *State) Vanished() {
	clear(s.ByHand)
	s.Have, s.Known = lvs.Dests{}, false
}

// Lost notes that it is not known what the table has: some of the changes may have been made.
func (s *State) Lost() { s.Have, s.Known = nil, false }

// Did notes one change of a destination that was made. What is not known stays so.
func (s *State) Did(d lvs.Dest, removed bool) {
	switch {
	case !s.Known:
	case removed:
		s.Have.Remove(d.Addr)
	default:
		s.Have.Put(d)
	}
}

// Read notes what the table has. Where servers have no address yet, a destination of no server may be one of them.
func (c *Case) Read(have lvs.Dests) {
	c.Have = have
	if len(c.Waiting) > 0 && c.Found == nil {
		c.Found = map[netip.AddrPort]bool{}
		for _, d := range have {
			if c.IsNobodys(d.Addr) {
				c.Found[d.Addr] = true
			}
		}
	}
}

// Wrote notes that the table has this now, as it was decided.
func (c *Case) Wrote(have lvs.Dests) {
	c.Have, c.Known = have, true
	for s := range c.all() {
		weight, _ := c.WeightAt(s.Dest.Addr)
		s.Turned, s.Entered = false, weight > 0
	}
	if wanted, known := c.fallbackWanted(); known {
		c.FallbackWanted = wanted
	}
	c.Leavers = slices.DeleteFunc(c.Leavers, func(l Leaver) bool {
		_, in := c.WeightAt(l.Addr)
		return !in
	})
	weight, _ := c.WeightAt(c.Fallback.Addr)
	c.FallbackIn = c.hasFallback() && !c.ServedBy(c.Fallback.Addr) && weight > 0
}

// Left notes that the table has nothing of the section any more by this director, which stands by.
func (s *State) Left() {
	s.Have, s.Known, s.FallbackIn = nil, false, false
	s.Found, s.Leavers = nil, nil
	clear(s.ByHand)
}

// Counted notes how many connections a server carries, where it is to be reached by gate. With none it waits no longer.
func (s *Server) Counted(connections uint32) {
	s.Connected = connections > 0
	s.Rerouted = s.Rerouted && s.Connected
}

// SendOff notes that a server left the section. It drains if draintime says so. One that the table does not have is
// forgotten with the next change.
func (c *Case) SendOff(l Leaver, now time.Time) {
	at, leaves := c.findLeaver(l.Addr)
	if c.DrainTime == 0 || leaves || c.At(l.Addr) != nil {
		return
	}
	left := c.DrainTime
	if !l.Until.IsZero() {
		left = min(left, l.Until.Sub(now)) // draintime was longer, or the clock was set
	}
	l.Until = now.Add(left) // a time that does not depend on the clock from now on
	delete(c.ByHand, l.Addr)
	c.Leavers = slices.Insert(c.Leavers, at, l)
}

// Looked notes whether a leaver is known to carry nothing, and reports whether it goes now.
func (s *State) Looked(l *Leaver, idle bool, now time.Time) (goes bool) {
	weight, in := s.WeightAt(l.Addr)
	wasIdle := l.Idle
	l.Idle = idle && in && weight == 0 // one with weight still serves, see keepServing
	switch {
	case !now.Before(l.Until):
		l.Over = Late
	case wasIdle && l.Idle: // what was on its way when it got weight 0 is counted by now
		l.Over = Drained
	default:
		return false
	}
	delete(s.ByHand, l.Addr)
	return true
}
