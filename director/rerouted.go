package director

import (
	"context"
	"fmt"
	"net/netip"

	"ldirectord/checker"
	"ldirectord/ipvsctl"
	"ldirectord/notify"
)

// This file is about servers that are to be reached by gate, and were reached by ipip or masq. The kernel has one route for a
// destination. The next packet of a connection of before puts one there that is no good for gate: from then on it asks the
// network for the virtual address, and no new client is answered, also when that connection has ended.

// isRerouted reports whether the table has a server by another forwarding method than gate, which it is to have, and the server
// has connections.
func (s *server) isRerouted(have dests) bool {
	d, in := have[s.dest.Addr]
	return in && d.Forward != ipvsctl.Route && s.dest.Forward == ipvsctl.Route && s.carries.Active+s.carries.Inactive > 0
}

// countRerouted reads what servers carry, where some are to be reached by gate now.
func (d *Director) countRerouted(ctx context.Context, v *virtual, have dests) {
	before := v.rerouting
	v.rerouting = false
	asked, counters := false, map[netip.AddrPort]ipvsctl.Counters(nil)
	for _, s := range v.servers {
		v.rerouting = v.rerouting || s.rerouted // the guard looks once more when it serves again
		if now, in := have[s.dest.Addr]; !in || now.Forward == s.dest.Forward || s.dest.Forward != ipvsctl.Route {
			continue
		}
		if !asked {
			asked, counters = true, d.table.counters(ctx, v.key)
		}
		s.carries, s.counted = counters[s.dest.Addr]
		v.rerouting = v.rerouting || s.isRerouted(have)
	}
	if v.rerouting && !before {
		d.emit(notify.Event{Kind: notify.ChangedVirtual, Virtual: v.cfg.ID, Text: fmt.Sprintf("Changing to gate, one server at a time, as connections end: %s", v.name)})
	}
}

// keepRoutes leaves servers that have connections as they are. One of them gets no new ones, if others serve: it is reached by
// gate when its own have ended, and the next one follows.
func (v *virtual) keepRoutes(want, have dests) {
	left := false
	for _, s := range v.servers {
		now, wanted := have[s.dest.Addr], want[s.dest.Addr]
		s.rerouted = s.isRerouted(have) && wanted.Forward == ipvsctl.Route
		if !s.rerouted {
			continue
		}
		delete(want, s.dest.Addr)
		weight := wanted.Weight
		switch {
		case left:
		case weight == 0:
			left = s.state() == checker.Unknown // it may be the one that left before
		case serving(want):
			left, weight = true, 0
		}
		put(want, now, weight)
	}
}

// rerouting says what a server waits for that is to be reached by gate.
func (s *server) rerouting() string {
	return fmt.Sprintf("changes to gate, one server at a time, when its connections have ended: %s", Carried(s.carries))
}
