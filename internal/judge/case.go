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

// all returns the servers except those that moved away and are no longer needed.
func (s *State) all() iter.Seq[*Server] {
	return func(yield func(*Server) bool) {
		for i := range s.Servers {
			if one := &s.Servers[i]; !one.Gone && !yield(one) {
				return
			}
		}
	}
}

// Sharing returns the servers at an address of the table, in the order of the file, except those that moved away and
// are no longer needed.
func (c *Case) Sharing(addr netip.AddrPort) iter.Seq[*Server] {
	return func(yield func(*Server) bool) {
		for _, i := range c.AllAt(addr) {
			if s := &c.Servers[i]; !s.Gone && !yield(s) {
				return
			}
		}
	}
}

// Serves reports whether a server is in service according to its checks, its own report, orders and changes by hand. A
// held server counts as one that passes.
func (c *Case) Serves(s *Server) bool {
	state := s.State()
	if c.Rests(s) || s.Weight() == 0 || s.Drained() || state != health.Up && (state != health.Unknown || !s.Kept) {
		return false
	}
	waits := s.Rerouted || c.Gathers() || state == health.Unknown && c.Have != nil // it stays as the table has it
	return !c.isOutByHand(s.Dest.Addr) && !(waits && c.weighsNothing(s))
}

// weighsNothing reports whether a server has weight 0 in the table or is not in it, or whether the contents of the
// table are unknown. Unlike WeightAt, it uses contents that were only read, as after a reload.
func (s *State) weighsNothing(one *Server) bool {
	return s.Have.Weight(one.Dest.Addr) == 0
}

// LastKnown returns the contents of the table as last known: Have if this director wrote it, otherwise Last.
func (s *State) LastKnown() lvs.Dests {
	if s.Known {
		return s.Have
	}
	return s.Last
}

// WeightAt returns the weight of a destination, and whether it exists, according to the last write and the changes
// noted since. While Known is not set, it returns 0 and false.
func (s *State) WeightAt(addr netip.AddrPort) (weight uint32, in bool) {
	if !s.Known {
		return 0, false
	}
	dest, in := s.Have.At(addr)
	return dest.Weight, in
}

// At returns the real server at an address of the table; nil if there is none. If several share the address, it returns
// the last one that is up, or the first one if none is.
func (c *Case) At(addr netip.AddrPort) (found *Server) {
	for s := range c.Sharing(addr) {
		if found == nil || s.State() == health.Up {
			found = s
		}
	}
	return found
}

// IsNobodys reports whether an address belongs to no server: no real or fallback server of the section, and no
// departing one.
func (c *Case) IsNobodys(addr netip.AddrPort) bool {
	return c.At(addr) == nil && c.Departure(addr) == nil && c.FallbackAt(addr) < 0
}

// Available reports whether a section has a server that is up and not drained, or a found destination in service, and
// whether that is known yet.
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
			up = true // a backup server that rests counts while no server is unknown
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
