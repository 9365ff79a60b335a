package ipvsctl

import (
	"net/netip"
	"slices"

	"ldirectord/lvs"
)

// Compact is a virtual service and its destinations. With a few of them it takes a third of the memory of a Service.
type Compact struct {
	Settings Settings
	Dests    lvs.Dests
}

// CompactOf returns a service without its counters.
func CompactOf(s Service) *Compact {
	return &Compact{s.Settings, lvs.DestsOf(s.Dests)}
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

// Record notes a change of the service or of a destination that was made.
func (c *Compact) Record(op Op) {
	switch {
	case op.Kind < DelService:
		c.Settings = op.Settings.stored(op.Key.IPv6)
	case op.Kind == DelDest:
		c.Dests.Remove(op.Dest.Addr)
	default:
		c.Dests.Put(op.Dest)
	}
}
