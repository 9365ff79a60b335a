package judge

import (
	"time"

	"ldirectord/checker/health"
)

// holdsDown: a server that checks take out soon after its return stays out for its time, which each further failure
// doubles up to the longest. It comes back then, if it passes, and not before, unless too few serve.
func holdsDown(s *step) string {
	b, w := s.before, s.after
	if !w.sl.has(holddown) || !s.from.Follows || !s.to.Follows || s.kind == edit {
		return ""
	}
	passed := time.Duration(bit(s.kind == time_)) * tick
	for i := range w.Servers {
		one, was, facts := &w.Servers[i], &b.Servers[i], &s.to.Servers[i]
		soon := !was.Fallen && instant.Before(was.Turn.Add(w.HoldDownMax-passed))
		left := was.Turn.Add(-passed).Sub(instant)
		switch {
		case one.Gone, one.Suspect, was.Suspect:
		case one.Fallen && !was.Fallen &&
			one.Turn.Sub(instant) != time.Duration(bit(soon)*min(int(was.Falls), int(w.HoldDownMax/tick)))*tick:
			return who(one) + " is out for another time than its failures say"
		case facts.Waits && !one.Turn.After(instant) && !w.sl.has(paced):
			return who(one) + " waits, and its time is over"
		case was.Fallen && one.Fallen && s.kind != time_ && one.Turn != was.Turn:
			return who(one) + " is out, and waits for another time"
		case !one.Fallen && s.from.Servers[i].Waits && s.from.Servers[i].Verdict == health.Up && left > 0 &&
			enough(s, i) &&
			s.kind != order && s.kind != file && s.kind != look && s.kind != ready:
			return who(one) + " comes back early"
		}
	}
	return ""
}

// enough reports whether the other server serves.
func enough(s *step, i int) bool {
	for o := range s.to.Servers {
		other := &s.to.Servers[o]
		if o != i && s.to.MayServe(other) && other.Verdict == health.Up && s.to.ServesIn(other) {
			return true
		}
	}
	return false
}

// comesAtPace: of servers that come back, one does in each tick, unless the other does not serve. Who waits waits for
// another that came. Minservers wants both.
func comesAtPace(s *step) string {
	b, w := s.before, s.after
	if !w.sl.has(paced) || !s.from.Follows || !s.to.Follows || s.kind == edit {
		return ""
	}
	for i := range w.Servers {
		one, came := &w.Servers[i], false
		for o := range w.Servers {
			other := &w.Servers[o]
			came = came || o != i && !other.Fallen && instant.Before(other.Turn.Add(tick))
		}
		facts := &s.to.Servers[i]
		lifted := !s.to.MayServe(facts) || facts.Weight == 0 || w.sl.has(strength) || w.obey || b.obey || s.kind == obey ||
			w.Gathers() || b.Gathers() || s.from.ServesIn(&s.from.Servers[i]) || s.kind == order || s.kind == file ||
			s.kind == ready || s.kind == look
		switch {
		case one.Gone:
		case !one.Fallen && b.Servers[i].Fallen && came && enough(s, i) && !lifted:
			return who(one) + " comes back too soon after another"
		case facts.Waits && !NeedsOrder(one) && !came && !one.Turn.After(instant):
			return who(one) + " waits, and no other came"
		}
	}
	return ""
}

// lingers reports whether as many servers left as may in this time.
func (w *world) lingers() bool {
	return w.Removals.N > 0 && instant.Before(w.Removals.Since.Add(tick))
}

// answers reports whether a server fails, and every check that fails was answered.
func answers(s *Server) bool {
	for _, check := range s.Checks() {
		if check.Part == 0 && check.Health.State == health.Down && check.Loss == NotReached {
			return false
		}
	}
	return verdict(s) == health.Down
}

// goesAtPace: of servers that fail and answer, checks take out one in each tick, and it is counted. By the order to obey
// all go.
func goesAtPace(s *step) string {
	b, w := s.before, s.after
	if !w.sl.has(pacedOut) || !s.from.Follows || !s.to.Follows || s.kind == edit || b.obey || w.obey {
		return ""
	}
	gone := 0
	for i := range w.Servers {
		one, was, facts := &w.Servers[i], &s.from.Servers[i], &s.to.Servers[i]
		served := s.from.ServesIn(facts) && (was.Held || was.Kept || was.Verdict == health.Up) // who was never up is not held
		out := facts.Out || facts.Drained || facts.Weight == 0 || one.Gone && s.to.Servers[one.MovedTo].Verdict == health.Up
		gone += bit(served && !out && !one.Backup && !s.to.ServesIn(facts) && answers(one))
	}
	full := b.lingers() && (s.kind != time_ || instant.Before(b.Removals.Since))
	switch {
	case gone > 1-bit(full):
		return "more servers leave than may in this time"
	case gone == 0 && w.lingers() && !full, gone > 0 && (w.Removals != Removals{Since: instant, N: 1}):
		return "it is counted otherwise how many servers leave"
	}
	return ""
}
