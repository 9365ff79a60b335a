package judge

import (
	"iter"
	"net/netip"

	"ldirectord/internal/health"
	"ldirectord/internal/lvs"
)

// Case is a section with its state.
type Case struct {
	*Section
	State
}

// all returns the servers except those that have moved away.
func (s *State) all() iter.Seq[*Server] {
	return func(yield func(*Server) bool) {
		for i := range s.Servers {
			if one := &s.Servers[i]; !one.Gone && !yield(one) {
				return
			}
		}
	}
}

// Sharing returns the servers that share an address of the table, in the order of the file.
func (c *Case) Sharing(addr netip.AddrPort) iter.Seq[*Server] {
	return func(yield func(*Server) bool) {
		for _, i := range c.AllAt(addr) {
			if s := &c.Servers[i]; !s.Gone && !yield(s) {
				return
			}
		}
	}
}

// Serves reports whether a server is in service according to its checks, the operator's orders and changes by hand.
func (c *Case) Serves(s *Server) bool {
	state := s.State()
	if c.Rests(s) || s.Weight() == 0 || s.Drained() || state != health.Up && (state != health.Unknown || !s.Kept) {
		return false
	}
	waits := s.Rerouted || c.Gathers() || state == health.Unknown && c.Have != nil // it stays as the table has it
	return !c.isOutByHand(s.Dest.Addr) && !(waits && c.weighsNothing(s))
}

// weighsNothing reports whether a server has no weight in the table, or is not in it, as far as the table is known.
// After a reload, the contents read from the table count until something is written.
func (s *State) weighsNothing(one *Server) bool {
	return s.Have.Weight(one.Dest.Addr) == 0
}

// LastKnown returns the contents of the table as last known; nil if nothing is known.
func (s *State) LastKnown() lvs.Dests {
	if s.Known {
		return s.Have
	}
	return s.Last
}

// WeightAt returns the weight of a destination as last written to the table, and whether it exists.
func (s *State) WeightAt(addr netip.AddrPort) (weight uint32, in bool) {
	if !s.Known {
		return 0, false
	}
	dest, in := s.Have.At(addr)
	return dest.Weight, in
}

// At returns the real server at an address of the table; nil if there is none. If several share the address, it returns
// the one that is up.
func (c *Case) At(addr netip.AddrPort) (found *Server) {
	for s := range c.Sharing(addr) {
		if found == nil || s.State() == health.Up {
			found = s
		}
	}
	return found
}

// IsNobodys reports whether an address belongs to no server: neither to a configured one nor to one that left.
func (c *Case) IsNobodys(addr netip.AddrPort) bool {
	return c.At(addr) == nil && c.Departure(addr) == nil && c.FallbackAt(addr) < 0
}

// Available reports whether a section has a server that is up, and whether that is known yet.
func (c *Case) Available() (up, known bool) {
	switch {
	case c.foundServes():
		return true, true
	case c.Gathers():
		return false, false
	}
	known = true
	for s := range c.all() {
		if s.IsDraining() {
			continue
		}
		switch s.State() {
		case health.Up:
			if !s.Backup || c.Backed {
				return true, true
			}
			up = true // if no other server is
		case health.Unknown:
			known = false
		}
	}
	return up && known, known
}

// Rests reports whether a server is a backup server that is not needed. Such a server is not in the table, unless it
// drains. A fallback server always rests, because only the rule fallback puts it in the table.
func (s *State) Rests(one *Server) bool {
	return one.Fallback || one.Backup && !one.Unchecked && !s.Backed
}
