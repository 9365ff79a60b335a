package ipvsctl

import (
	"maps"
	"net/netip"
	"slices"

	"ldirectord/lvs"
)

// Compact is a virtual service and its destinations. With a few of them it takes a third of the memory of a Service.
type Compact struct {
	Settings Settings
	Dests    []lvs.Dest // in the order of their addresses
}

// CompactOf returns a service without its counters.
func CompactOf(s Service) *Compact {
	dests := slices.AppendSeq(make([]lvs.Dest, 0, len(s.Dests)), maps.Values(s.Dests))
	slices.SortFunc(dests, func(a, b lvs.Dest) int { return a.Addr.Compare(b.Addr) })
	return &Compact{s.Settings, dests}
}

// Service returns it as the table has it, in a map of its own.
func (c *Compact) Service(key lvs.Key) Service {
	dests := make(map[netip.AddrPort]lvs.Dest, len(c.Dests))
	for _, d := range c.Dests {
		dests[d.Addr] = d
	}
	return Service{Key: key, Settings: c.Settings, Dests: dests}
}

// Is reports whether a service is this one, whatever its key.
func (c *Compact) Is(s Service) bool {
	return c.Settings == s.Settings && len(c.Dests) == len(s.Dests) &&
		!slices.ContainsFunc(c.Dests, func(d lvs.Dest) bool { return s.Dests[d.Addr] != d })
}

// find is where an address is, or would be.
func (c *Compact) find(addr netip.AddrPort) (at int, in bool) {
	return slices.BinarySearchFunc(c.Dests, addr,
		func(d lvs.Dest, addr netip.AddrPort) int { return d.Addr.Compare(addr) })
}

// Dest returns the destination of an address, and whether there is one.
func (c *Compact) Dest(addr netip.AddrPort) (d lvs.Dest, in bool) {
	at, in := c.find(addr)
	if in {
		d = c.Dests[at]
	}
	return d, in
}

// Record notes a change of the service or of a destination that was made. A nil Compact is a service of which nothing
// is known.
func (c *Compact) Record(op Op) {
	if c == nil {
		return
	}
	switch at, in := c.find(op.Dest.Addr); {
	case op.Kind < DelService:
		c.Settings = op.Settings.stored(op.Key.IPv6)
	case op.Kind == DelDest && in:
		c.Dests = slices.Delete(c.Dests, at, at+1)
	case op.Kind == AddDest, op.Kind == EditDest:
		if !in {
			c.Dests = slices.Insert(c.Dests, at, op.Dest)
		}
		c.Dests[at] = op.Dest
	}
}
