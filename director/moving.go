package director

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"ldirectord/checker/health"
	"ldirectord/ipvsctl"
	"ldirectord/judge"
	"ldirectord/lvs"
	"ldirectord/notify"
)

// This file records what changes the weights of servers, for the next daemon.

// recordInterval is the shortest time between two records for each server in them, maxRecordInterval that between any.
const (
	recordInterval    = 4 * time.Millisecond
	maxRecordInterval = time.Second
)

// movers records the moving servers of all virtual services.
type movers struct {
	*services
	records
	due time.Time // when to record; zero: nothing is new
	at  time.Time // of the last record
}

// note notes what changes the weights of a virtual service's servers.
func (all *movers) note(v *virtual) {
	for i, s := range v.members {
		told := judge.SpokenBy(s.Server)
		if v.moving == nil && s.Motion == (lvs.Motion{}) && told == (judge.Spoken{}) {
			continue
		}
		if v.moving == nil {
			v.moving = make([]judge.Record, len(v.members))
		}
		if m := &v.moving[i]; m.Motion != s.Motion || m.Of != s.Weight() || m.Told != told {
			nth := slices.Index(v.AllAt(s.Dest.Addr), s.At)
			*m = judge.Record{Key: v.key, Addr: s.Dest.Addr, Nth: uint32(nth), Of: s.Weight(),
				Weight: v.Have.Weight(s.Dest.Addr), Motion: s.Motion, Told: told}
			all.due = all.at.Add(min(time.Duration(1+len(all.last))*recordInterval, maxRecordInterval))
		}
	}
}

// record passes on the servers whose weights are changing. It is called before the table changes, and at the end.
func (all *movers) record(ends bool) {
	if until(all.due) > 0 && !ends {
		return
	}
	all.due, all.at = time.Time{}, time.Now()
	now := make([]judge.Record, 0, len(all.last))
	for _, v := range all.virtuals {
		for _, m := range v.moving {
			if m.Motion != (lvs.Motion{}) || m.Told != (judge.Spoken{}) {
				now = append(now, m)
			}
		}
	}
	all.keep(now)
}

// resume continues where the previous daemon ended. A weight in the table that does not fit was changed by hand in the
// meantime. A record that is not ours has no meaning for our servers.
func (all *movers) resume(have ipvsctl.Table) {
	virtuals := byKey(all.virtuals)
	for _, m := range all.last {
		v := virtuals[m.Key]
		if v == nil || int(m.Nth) >= len(v.AllAt(m.Addr)) {
			continue
		}
		weight, s := uint32(0), &v.Servers[v.AllAt(m.Addr)[m.Nth]]
		if v.isOurs() {
			weight = have[m.Key].Dests.Weight(m.Addr)
		}
		if !v.Resume(s, m, weight, time.Now()) && v.At(m.Addr) == s {
			v.byHand(&all.tell, m.Addr, true, false, fmt.Sprintf("has weight %d", weight))
		}
	}
}

// together is the next whole second of the clock: the steps of all virtual services are made together.
func together(at time.Time) time.Time {
	return at.Add((time.Second + at.Truncate(time.Second).Sub(at)) % time.Second)
}

// tellMotion reports that the weight of a server starts to rise, that it has its full value, and that the server failed
// again soon after its return. The steps between are not reported.
func tellMotion(t *teller, v *virtual, s *server, next *judge.Server) {
	climbed, climbs := !s.Climbs.IsZero(), !next.Climbs.IsZero()
	s.steps = s.steps || climbed || climbs
	switch {
	case climbed == climbs || !v.isOurs():
	case climbs:
		what := fmt.Sprintf("Weight starts to rise to %d (slowstart)", s.Weight())
		t.report(v, s, notify.Climbs, what, "", "")
	case next.IsUp() && !next.Held && !v.ByHand[s.Dest.Addr]:
		t.report(v, s, notify.Climbed, "Full weight reached", fmt.Sprintf(": %d", s.Weight()), "")
	}
	if (next.Falls > max(s.Falls, 1) || next.Suspect && !s.Suspect) && v.isOurs() {
		what := "Held down until an order (set … ready)"
		if !judge.NeedsOrder(next) {
			what = fmt.Sprintf("Held down for %v", next.Turn.Sub(t.now()).Round(time.Second))
		}
		t.report(v, s, notify.HeldDown, what, ": "+fallen(next, t.now()), "")
	}
}

// whyWeight describes what reduces the weight of a server in the table; "" if the order or the file alone decides it.
func (v *virtual) whyWeight(s *server) string {
	var parts []string
	at := time.Now()
	if until(v.lasts) <= 0 { // the next step is due
		at = v.lasts.Add(-1)
	}
	if ramp := v.Ramp(s.Server, at); ramp.Num < ramp.Den {
		parts = append(parts, fmt.Sprintf("%d %% after %.0f s of slowstart %v", 100*ramp.Num/ramp.Den,
			at.Sub(s.Climbs).Truncate(time.Second).Seconds(), v.SlowStart.Seconds()))
	}
	for x := range v.checks(s) {
		j := x.j
		switch asks := j.Telling.Asks(); {
		case asks > health.NoAdmin:
			parts = append(parts, fmt.Sprintf("%s %v", x.spec().Kind(), asks))
		case j.Telling.Less > 0:
			parts = append(parts, fmt.Sprintf("%s %d %%", x.spec().Kind(), j.Telling.Percent()))
		}
		if j.Part > 0 && j.Health.State == health.Down {
			parts = append(parts, fmt.Sprintf("%s is down: %d %%", x.checkName(), j.Part))
		}
	}
	weight, in := v.WeightAt(s.Dest.Addr)
	isOut := s.Verdict() == health.Down && !s.Held
	if parts == nil || !in || weight == s.Weight() || s.Order.Kind == judge.Drain || isOut {
		return ""
	}
	return fmt.Sprintf("weight %d of %d: %s", weight, s.Weight(), strings.Join(parts, "; "))
}

// waitsFor is the directive that keeps out a server that passes; "" for none.
func (s *server) waitsFor() string {
	switch {
	case !s.Waits():
		return ""
	case s.Why.String() == "returns":
		return "pace"
	case s.Suspect:
		return "observe"
	}
	return "holddown"
}

// heldDown describes how much longer a server that passes stays out, and why.
func (s *server) heldDown(now time.Time) string {
	if judge.NeedsOrder(s.Server) {
		return "held down until an order (set … ready): " + fallen(s.Server, now)
	}
	return fmt.Sprintf("held down for another %v: %s", s.Turn.Sub(now).Round(time.Second), fallen(s.Server, now))
}

// onFail describes what happens to the connections of a server that checks took out.
func (v *virtual) onFail(s *server, now time.Time) string {
	what := "not in the table until it passes"
	switch _, in := v.WeightAt(s.Dest.Addr); {
	case in && s.Drained():
		what = "weight 0 while it is drained"
	case in && v.OnFail > 0:
		what = fmt.Sprintf("weight 0 for another %v, then it is removed", untilRemoved(v, s, now))
	case in && v.OnFail == lvs.Cut:
		what = "weight 0: its check has not passed since the start, or since a reload changed it"
	case in:
		what = "weight 0 while it fails"
	}
	return fmt.Sprintf("failed: %s (onfail = %v)", what, v.OnFail)
}

// untilRemoved is how much longer a server that checks took out has weight 0, by onfail.
func untilRemoved(v *virtual, s *server, now time.Time) time.Duration {
	return max(0, s.Failed.Add(time.Duration(v.OnFail)).Sub(now)).Round(time.Second)
}

// removal says when onfail removes a server that passes and waits to come back; "" for never.
func removal(v *virtual, s *server, now time.Time) string {
	if _, in := v.WeightAt(s.Dest.Addr); !in || s.Failed.IsZero() {
		return ""
	}
	return fmt.Sprintf("; removed in %v (onfail = %v)", untilRemoved(v, s, now), v.OnFail)
}

func fallen(s *judge.Server, now time.Time) string {
	switch {
	case s.Suspect && s.Suspects > 1:
		return fmt.Sprintf("its clients got no answers, %d times in a row", s.Suspects)
	case s.Suspect:
		return "its clients got no answers"
	}
	since := now.Sub(time.Unix(int64(s.FellFirst), 0)).Round(time.Second)
	return fmt.Sprintf("failed %d times in %v", s.Falls, since)
}
