package judge

import (
	"iter"
	"net/netip"
	"slices"

	"ldirectord/checker/health"
)

// Case is a section with what is known of it.
type Case struct {
	*Section
	State
}

// off is the state of a server that is not checked. It is neither up, down nor unknown: the server is simply not there.
const off health.State = 255

// all are the servers that have not gone.
func (c *Case) all() iter.Seq2[int, *Server] {
	return func(yield func(int, *Server) bool) {
		for i := range c.Servers {
			if s := &c.Servers[i]; !s.Gone && !yield(i, s) {
				return
			}
		}
	}
}

// StateOf is what the table is made from: a server in maintenance is down, whatever its checks say, and one that is
// held is up.
func (c *Case) StateOf(i int) health.State {
	switch s := &c.Servers[i]; {
	case c.Members[i].Unchecked:
		return off
	case s.Suspended():
		return health.Down
	case s.Held:
		return health.Up
	default:
		return s.Verdict()
	}
}

// NameOf is the name of a server's state, as others see it.
func (c *Case) NameOf(i int) Name {
	switch s := &c.Servers[i]; {
	case c.Members[i].Unchecked:
		return Off
	case s.Suspended():
		return Maintenance
	case c.IsDraining(i):
		return Draining
	default:
		return [...]Name{health.Unknown: Unknown, health.Up: Up, health.Down: Down}[s.Verdict()]
	}
}

// IsDraining reports whether a server that could serve is drained instead.
func (c *Case) IsDraining(i int) bool {
	state := c.StateOf(i)
	return c.Servers[i].Drained() && (state == health.Up || state == health.Unknown)
}

// isUp reports whether a server serves as far as its checks and orders go.
func (c *Case) isUp(i int) bool { return c.StateOf(i) == health.Up && !c.Servers[i].Drained() }

// Weight is a server's, by order or as configured.
func (c *Case) Weight(i int) uint32 {
	if o := c.Servers[i].Order; o.Kind == Weigh {
		return o.Weight
	}
	return c.Members[i].Dest.Weight
}

// WeightAt is the weight of a destination, and whether it is there, as the table was last written.
func (c *Case) WeightAt(addr netip.AddrPort) (weight uint32, in bool) {
	if !c.Known {
		return 0, false
	}
	dest, in := c.Have.At(addr)
	return dest.Weight, in
}

// weighsNothing reports whether a server has no weight, or is not there, as the table was last written.
func (c *Case) weighsNothing(i int) bool {
	weight, _ := c.WeightAt(c.Members[i].Dest.Addr)
	return weight == 0
}

// isOutByHand reports whether somebody else took a server out of service.
func (c *Case) isOutByHand(i int) bool {
	return c.ByHand[c.Members[i].Dest.Addr] && c.weighsNothing(i) // in the order of their cost: each result asks
}

// Serves reports whether a server is in service, as its checks, the operator's orders and changes by hand have it.
func (c *Case) Serves(i int) bool {
	s, state := &c.Servers[i], c.StateOf(i)
	if c.Weight(i) == 0 || s.Drained() || state != health.Up && (state != health.Unknown || !s.Kept) {
		return false
	}
	return !c.isOutByHand(i) && !((s.Rerouted || c.Gathers()) && c.weighsNothing(i))
}

// isAwaited reports whether a check of a server has no result yet. Until then it counts as it did before.
func (c *Case) isAwaited(i int) bool {
	s := &c.Servers[i]
	for _, check := range s.Checks() {
		if check.Pending {
			return true
		}
	}
	return s.Kept && c.StateOf(i) == health.Unknown
}

// At is the real server at an address of the table, the one that is up if several share it; -1 for none.
func (c *Case) At(addr netip.AddrPort) int {
	found := -1
	for _, i := range c.AllAt(addr) {
		if !c.Servers[i].Gone && (found < 0 || c.StateOf(i) == health.Up) {
			found = i
		}
	}
	return found
}

// IsNobodys reports whether nothing is configured at an address, and nothing that left.
func (c *Case) IsNobodys(addr netip.AddrPort) bool {
	return c.At(addr) < 0 && c.Leaver(addr) == nil && c.Fallback.Addr != addr
}

// Leaver is who drains at an address after it left the section; nil: nobody.
func (c *Case) Leaver(addr netip.AddrPort) *Leaver {
	at, in := c.findLeaver(addr)
	if !in {
		return nil
	}
	return &c.Leavers[at]
}

func (c *Case) findLeaver(addr netip.AddrPort) (at int, in bool) {
	return slices.BinarySearchFunc(c.Leavers, addr,
		func(l Leaver, a netip.AddrPort) int { return l.Addr.Compare(a) })
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
	for i := range c.all() {
		if c.IsDraining(i) {
			continue
		}
		switch c.StateOf(i) {
		case health.Up:
			return true, true
		case health.Unknown:
			known = false
		}
	}
	return false, known
}

// foundServes reports whether something serves that was found, as the section was last written.
func (c *Case) foundServes() bool {
	for addr := range c.Found {
		if weight, _ := c.WeightAt(addr); weight > 0 {
			return true
		}
	}
	return false
}

// fallbackWanted reports whether the fallback server is wanted, and whether that is known.
func (c *Case) fallbackWanted() (wanted, known bool) {
	up, known := c.Available()
	known = known && c.hasFallback()
	return known && !up && !c.NoFallback, known
}

// ServedBy reports whether an address belongs to a real server that is up.
func (c *Case) ServedBy(addr netip.AddrPort) bool {
	return slices.ContainsFunc(c.AllAt(addr), func(i int) bool { return !c.Servers[i].Gone && c.isUp(i) })
}
