package core

import (
	"slices"
	"time"

	"ldirectord/internal/judge"
	"ldirectord/internal/lvs"
	"ldirectord/internal/plan"
	"ldirectord/internal/view"
)

// This file handles real servers that left a virtual service with draintime. They stay in the table at weight 0 until
// their connections have ended or the time is over. They are not checked and get no new clients. Backup servers that
// are no longer needed drain in the same way, but are still checked.
//
// draintime begins when a server leaves: at the reload that removes it or, if its name has a new address, when the
// server there is up or the old one fails. It does not wait until the table accepts weight 0. If a reload replaces all
// servers, draintime begins when the old ones no longer serve (judge.Departure.Serves); for a backup server, it begins
// at weight 0.
//
// Leaver, leaving server and departing server mean the same: a judge.Departure. Status calls it drained
// (judge.Draining). A configured server that drains because of an order or its own report is also called drained, but
// is not a Departure. As the reason for a removal, judge.Drained means that the server's connections have ended.
// writer.leave is about virtual services that leave the table.

// LookInterval is the time before each look at the connections of leaving servers.
const LookInterval = time.Second

// depart notes the names of servers that have begun to drain.
func (v *virtual) depart(servers []*server) {
	for _, s := range servers {
		if l := v.Departure(s.Dest.Addr); l != nil && l.Name == "" {
			l.Name = s.entry.Name()
		}
	}
}

// whyOver returns the reason to remove a departing server now, or "" while it stays.
func whyOver(l *judge.Departure) string {
	switch l.Over {
	case judge.Late:
		return "draintime is over, " + view.Carried(l.Carries)
	case judge.Drained:
		return "drained"
	}
	return ""
}

// departures handles the leaving servers of all virtual services.
type departures struct {
	*services
	records
	lookAt time.Time // the next look at their connections; zero while no server leaves
}

// records holds facts of one kind that the next daemon has to know.
type records struct {
	last []judge.Record       // as last passed on
	pass func([]judge.Record) // see World
}

// keep passes on the records if they have changed.
func (r *records) keep(now []judge.Record) {
	if r.pass != nil && !slices.Equal(now, r.last) {
		r.pass(now)
	}
	r.last = now
}

// mayServe reports whether a server that moved away may still serve. It may if, when the previous daemon ended, it was
// in maintenance, or was in the table and not leaving. The table and the records of that daemon show this.
func (all *departures) mayServe(e *plan.Entry, found lvs.VirtualService) bool {
	_, serves := found.Dests.At(e.Dest.Addr)
	for _, l := range all.last {
		if l.Key == found.Key && l.Addr == e.Dest.Addr {
			serves = l.Stays
		}
	}
	return serves
}

// record passes on the servers that are leaving, and those that moved away and are in maintenance. While any server is
// leaving, it sets the time of the next look.
func (all *departures) record() {
	now, leave := make([]judge.Record, 0, len(all.last)), false
	for _, v := range all.ours {
		leave = leave || len(v.Departing) > 0
		for _, l := range v.Departing {
			if l.Until.IsZero() {
				continue // the next daemon finds it in the table
			}
			now = append(now, judge.Record{Key: v.Key(), Addr: l.Addr, Name: l.Name, Until: l.Until})
		}
		for _, s := range v.movedAway() {
			if s.Suspended() {
				now = append(now, judge.Record{Key: v.Key(), Addr: s.Dest.Addr, Name: s.entry.Name(),
					Stays: true})
			}
		}
	}
	if leave && all.lookAt.IsZero() {
		all.lookAt = all.tell.now().Add(LookInterval)
	}
	all.keep(now)
}

// look finds the leaving servers whose connections have ended or whose draintime is over. The next sync removes them.
func (all *departures) look(w *writer) {
	all.lookAt = time.Time{}
	for _, v := range all.ours {
		if len(v.Departing) == 0 {
			continue
		}
		counters := w.counters(v.Key())[v.Key()].Counters
		for i := range v.Departing {
			l := &v.Departing[i]
			carries, known := counters[l.Addr]
			if known {
				l.Carries = carries
			}
			if v.Looked(l, known && carries.Idle(), all.tell.now()) {
				v.touch()
			}
		}
	}
	all.record()
}

// describeDepartures describes the departing servers that are still in the table, except backup servers.
func describeDepartures(v *virtual) (list []view.Departure) {
	for _, l := range v.Departing {
		if weight, in := v.weightAt(l.Addr); in && v.At(l.Addr) == nil {
			list = append(list, view.Departure{Real: l.Name, State: judge.Draining.String(),
				Rule: v.rules[l.Addr].String(), Effective: weight, ByHand: v.ByHand[l.Addr],
				Serves: l.Serves && weight > 0, Connections: l.Carries, Until: l.Until})
		}
	}
	return list
}
