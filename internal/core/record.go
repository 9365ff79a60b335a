package core

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"ldirectord/internal/health"
	"ldirectord/internal/judge"
	"ldirectord/internal/lvs"
)

// This file records for the next daemon what changes the weights of servers, and what judge remembers of them.

// The shortest time between two records is recordInterval, and as much again for each server in the last record, but at
// most maxRecordInterval.
const (
	recordInterval    = 4 * time.Millisecond
	maxRecordInterval = time.Second
)

// movers records, for all virtual services, the servers whose weights are changing or that have to wait.
type movers struct {
	*services
	records
	due time.Time // when to record; zero: nothing is new
	at  time.Time // of the last record
}

// note stores what the next daemon needs to know of the servers of a virtual service, until record passes it on.
func (all *movers) note(v *virtual) {
	for i, s := range v.members() {
		reported := s.Spoken()
		if v.moving == nil && s.Memory == (judge.Memory{}) && reported == (judge.Spoken{}) {
			continue
		}
		if v.moving == nil {
			v.moving = make([]judge.Record, len(v.members()))
		}
		if m := &v.moving[i]; m.Memory != s.Memory || m.Of != v.Goal(s.Server) || m.Reports != reported {
			nth := slices.Index(v.AllAt(s.Dest.Addr), s.At)
			*m = judge.Record{Key: v.Key(), Addr: s.Dest.Addr, Nth: uint32(nth), Of: v.Goal(s.Server),
				Weight: v.Have.Weight(s.Dest.Addr), Memory: s.Memory, Reports: reported}
			all.due = all.at.Add(min(time.Duration(1+len(all.last))*recordInterval, maxRecordInterval))
		}
	}
}

// record passes on the servers that movers records, if a record is due or the daemon ends. It is called before the
// table changes.
func (all *movers) record(ends bool) {
	now := all.tell.now()
	if !ends && !isDue(all.due, now) {
		return
	}
	all.due, all.at = time.Time{}, now
	changing := make([]judge.Record, 0, len(all.last))
	for _, v := range all.virtuals {
		for _, m := range v.moving {
			if m.Memory != (judge.Memory{}) || m.Reports != (judge.Spoken{}) {
				changing = append(changing, m)
			}
		}
	}
	all.keep(changing)
}

// resume restores what the previous daemon recorded, so weights continue to change where it stopped. If a weight in the
// table does not match its record, it was changed by hand in between. A record whose server is not in the plan is
// ignored.
func (all *movers) resume(have lvs.Table) {
	virtuals := byKey(all.virtuals)
	for _, m := range all.last {
		v := virtuals[m.Key]
		if v == nil || int(m.Nth) >= len(v.AllAt(m.Addr)) {
			continue
		}
		weight, s := uint32(0), &v.Servers[v.AllAt(m.Addr)[m.Nth]]
		if v.IsOurs() {
			weight = have[m.Key].Dests.Weight(m.Addr)
		}
		if !v.Resume(s, m, weight, all.tell.now()) && v.At(m.Addr) == s {
			v.byHand(&all.tell, m.Addr, true, false, fmt.Sprintf("has weight %d", weight))
		}
		all.tell.known(v, v.all[s.At])
	}
}

// together rounds a time up to a whole second of the clock, so that all virtual services change weights at the same
// time.
func together(at time.Time) time.Time {
	return at.Add((time.Second + at.Truncate(time.Second).Sub(at)) % time.Second)
}

var weightKind = kind{name: "weight", trouble: judge.Fine, says: (*subject).whyWeight}

// whyWeight describes what reduces the weight of a server in the table. It returns "" if only an order or the file
// determines the weight, or if the server is down, drained by order or not in the table.
func (a *subject) whyWeight() string {
	v, s, view := a.v, a.s, a.View
	if isDue(v.lasts, a.Now) { // the next step is due, but is not in the table yet
		view.Now = v.lasts.Add(-1)
	}
	parts := view.Lessens()
	for x := range v.checks(s) {
		j := x.j
		switch asks := j.Telling.Asks(); {
		case asks > health.NoAdmin:
			parts = append(parts, fmt.Sprintf("%s %v", x.use().Kind(), asks))
		case j.Telling.Less > 0:
			parts = append(parts, fmt.Sprintf("%s %d %%", x.use().Kind(), j.Telling.Percent()))
		}
		if j.Part > 0 && j.Health.State == health.Down {
			parts = append(parts, fmt.Sprintf("%s is down: %d %%", x.use().Name(), j.Part))
		}
	}
	if isOut := s.Health() == health.Down && !s.Held; parts == nil || isOut || s.Order.Kind == judge.Drain {
		return ""
	}
	weight, in := v.WeightAt(s.Dest.Addr)
	if !in || weight == s.Weight() {
		return ""
	}
	return fmt.Sprintf("weight %d of %d: %s", weight, s.Weight(), strings.Join(parts, "; "))
}
