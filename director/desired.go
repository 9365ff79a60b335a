package director

import (
	"net/netip"
	"slices"

	"ldirectord/checker/health"
	"ldirectord/lvs"
)

type dests = map[netip.AddrPort]lvs.Dest

// desired returns the destinations that a virtual service should have, by what is configured, what the checks say, and
// what the table has now.
//
// An unknown server is kept as it is found: it gets no traffic before its first success, and keeps what it has until
// its first failure. So is what was found while servers had no address. A drained server keeps its connections at
// weight 0, whatever quiescent says, and does not count as available; nor does one that left the configuration and
// drains. Overrides come last but for who changes to gate.
//
// With announce and quiescent the first servers come together, when each had its first result, before which nothing is
// announced: mh heeds the order of the entries, which must be the same on all directors, whichever server answers
// first. Those that are back later are kept as they are found while they wait for others, see gathers.
func (v *virtual) desired(have dests) dests {
	want := dests{}
	if v.cfg.Announce != "" && v.cfg.Quiescent && len(have) == 0 &&
		slices.ContainsFunc(v.servers, (*server).isAwaited) {
		return want
	}
	for _, l := range v.leavers {
		if d, in := have[l.Addr]; in && l.over == "" {
			put(want, d, 0)
		}
	}
	up, unknown, gathers := false, false, v.gathers()
	for _, s := range v.servers {
		if s.draining() {
			if _, in := have[s.dest.Addr]; in || s.state() == health.Up {
				put(want, s.dest, 0)
			}
			continue
		}
		switch state := s.state(); {
		case state == health.Down:
			if v.cfg.Quiescent {
				put(want, s.dest, 0)
			}
		case state == health.Unknown, state == health.Up && gathers:
			unknown = true
			if d, ok := have[s.dest.Addr]; ok {
				put(want, s.dest, min(d.Weight, 1)*s.weight())
			}
		}
	}
	for _, s := range v.servers {
		if s.state() == health.Up && !s.drained() && !gathers {
			up = true
			put(want, s.dest, s.weight())
		}
	}
	if found := v.keepFound(want, have); v.wantsFallback(up || found, unknown, have) {
		put(want, *v.fallback, v.fallback.Weight)
	}
	if unknown && !serving(want) {
		v.keepServing(want, have)
	}
	for addr := range v.overridden {
		if d, ok := have[addr]; ok {
			want[addr] = d
		} else {
			delete(want, addr)
		}
	}
	v.keepRoutes(want, have) // after the overrides: one waits only while another serves
	return want
}

// keepServing lets destinations that are no longer configured go on serving. It is for the moment after a reload
// replaced all servers, when none of the new ones has passed a check yet.
func (v *virtual) keepServing(want, have dests) {
	for addr, d := range have {
		if _, wanted := want[addr]; d.Weight > 0 && (!wanted || v.leavers[addr] != nil) {
			want[addr] = d
		}
	}
}

func serving(d dests) bool {
	for _, dest := range d {
		if dest.Weight > 0 {
			return true
		}
	}
	return false
}

func put(d dests, dest lvs.Dest, weight uint32) {
	dest.Weight = weight
	d[dest.Addr] = dest
}
