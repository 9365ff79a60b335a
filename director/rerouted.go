package director

import (
	"context"
	"slices"

	"ldirectord/checker/health"
	"ldirectord/lvs"
)

// This file is about servers that are to be reached by gate, and were reached by ipip or masq. The kernel has one route
// for a destination. The next packet of a connection of before puts one there that is no good for gate: from then on it
// asks the network for the virtual address, and no new client is answered, also when that connection has ended.

// isRerouted reports whether the table has a server by another forwarding method than gate, which it is to have.
func (s *server) isRerouted(have dests) bool {
	d, in := have[s.dest.Addr]
	return in && d.Forward != lvs.Route && s.dest.Forward == lvs.Route
}

// countRerouted reads what servers carry, where some are to be reached by gate.
func (d *Director) countRerouted(ctx context.Context, v *virtual, have dests) {
	if !slices.ContainsFunc(v.servers, func(s *server) bool { return s.isRerouted(have) }) {
		return
	}
	counters := d.table.counters(ctx, v.key)
	for _, s := range v.servers {
		s.carries, s.counted = counters[s.dest.Addr]
	}
}

// keepRoutes leaves servers that have connections as they are. One of them gets no new ones, if others serve: it is
// reached by gate when its own have ended, and the next one follows.
func (v *virtual) keepRoutes(want, have dests) {
	left := false
	for _, s := range v.servers {
		now, wanted := have[s.dest.Addr], want[s.dest.Addr]
		s.rerouted = s.isRerouted(have) && wanted.Forward == lvs.Route &&
			s.carries.Active+s.carries.Inactive > 0
		if !s.rerouted {
			continue
		}
		delete(want, s.dest.Addr)
		// who is held would come back without a success
		leaves := !left && wanted.Weight > 0 && !s.held && serving(want)
		// which may have left before
		left = left || leaves || wanted.Weight == 0 && s.state() == health.Unknown
		if leaves {
			wanted.Weight = 0
		}
		put(want, now, wanted.Weight)
	}
}
