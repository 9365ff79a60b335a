package core

import (
	"time"

	"ldirectord/internal/lvs"
)

// This file works out which share of a section's new connections each server gets, and which share it should get.

// minConnections is the number of new connections that a section needs before the shares of its servers are computed.
const minConnections = 100

// window records the counters of a section's servers when the count of new connections began.
type window struct {
	since time.Time
	from  []tallied // by server
}

type tallied struct {
	connections uint64
	due         uint32 // its part of the new ones, relative to the other servers
}

// share computes the shares after the table has been read, once there are enough connections and a tenth of samewait
// has passed. A changed weight restarts the count.
func (v *virtual) share(have lvs.Dests, now time.Time) {
	if v.window == nil || len(v.window.from) != len(v.servers) {
		v.window = &window{from: make([]tallied, len(v.servers))}
	}
	w, connections, due := v.window, uint64(0), uint64(0)
	begins := w.since.IsZero()
	goesOn := !begins
	for i, s := range v.servers {
		is, was := v.count(s, have), w.from[i]
		if is.due != was.due && !begins {
			s.got, s.due = 0, 0
		}
		goesOn = goesOn && is.due == was.due && is.connections >= was.connections
		connections, due = connections+is.connections-was.connections, due+uint64(is.due)
	}
	if goesOn && (connections < minConnections || now.Sub(w.since) < v.sameWait()/10) {
		return
	}
	w.since = now
	for i, s := range v.servers {
		is := v.count(s, have)
		if goesOn && due > 0 {
			s.got = uint8(100 * (is.connections - w.from[i].connections) / connections)
			s.due = uint8(100 * uint64(is.due) / due)
		}
		w.from[i] = is
	}
}

// count returns the number of connections that a server has had, and the part of the new ones that it should get.
func (v *virtual) count(s *server, have lvs.Dests) tallied {
	return tallied{s.carries.Traffic.Connections, dueBy(v.Settings.Scheduler, have.Weight(s.Dest.Addr))}
}

// dueBy returns the part of the new connections that a server with this weight should get, relative to the other
// servers. With rr and lc, all servers with a weight above 0 should get the same part. For schedulers not listed here,
// the part is not known, and dueBy returns 0.
func dueBy(scheduler string, weight uint32) uint32 {
	switch scheduler {
	case "wrr", "wlc", "sh", "mh", "twos":
		return weight
	case "rr", "lc":
		return min(weight, 1)
	}
	return 0
}
