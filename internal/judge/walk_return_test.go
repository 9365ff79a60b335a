package judge

import (
	"time"

	"ldirectord/internal/health"
)

// holdsDown: a server that checks take out soon after its return stays out for its time. Each further failure doubles
// the time, up to the maximum. Then it comes back if it passes, and not before, unless too few serve.
func holdsDown(s *step) string {
	b, w := s.before, s.after
	if !w.has(holddown) || !s.follows() || s.kind == edit {
		return ""
	}
	passed := time.Duration(bit(s.kind == time_)) * tick
	return w.first(func(one *Server) string {
		i := int(one.At)
		was, facts := &b.Servers[i], &s.to.Servers[i]
		soon := !was.Fallen && instant.Before(was.Turn.Add(w.HoldDown.Most-passed))
		left := was.Turn.Add(-passed).Sub(instant)
		switch {
		case one.Suspect, was.Suspect:
		case one.Fallen && !was.Fallen &&
			one.Turn.Sub(instant) != time.Duration(
				bit(soon)*min(int(was.Falls), int(w.HoldDown.Most/tick)))*tick:
			return " is out for another time than its failures say"
		case facts.Waits && !one.Turn.After(instant) && !w.has(byOrdered|paced):
			return " waits, and its time is over"
		case was.Fallen && one.Fallen && s.kind != time_ && one.Turn != was.Turn:
			return " is out, and waits for another time"
		case !one.Fallen && s.from.Servers[i].Waits && s.from.Servers[i].Health == health.Up && left > 0 &&
			enough(s, i) && !s.letsBack():
			return " comes back early"
		}
		return ""
	})
}

// letsBack reports whether a step is an order, a file or a look: a server may come back by that, and not by its time.
func (s *step) letsBack() bool {
	switch s.kind {
	case order, file, ready, look:
		return true
	}
	return false
}

// enough reports whether another server serves, or may do so when its first check ends; the latter is not enough for a
// server that served until now. One with weight 0 in the file serves by hand alone, and does not count.
func enough(s *step, i int) bool {
	for o := range s.to.Servers {
		other := &s.to.Servers[o]
		serves := other.Weight > 0 && s.to.MayServe(other) && other.Health == health.Up && s.to.ServesIn(other)
		if o != i && (serves || s.from.WeightIn(s.to.Servers[i].Dest.Addr) == 0 && s.to.SoonServes(other)) {
			return true
		}
	}
	return false
}

// comesByOrder: a server that was taken out does not come back by itself, unless too few serve.
func comesByOrder(s *step) string {
	w := s.after
	if !w.has(byOrdered) || w.has(strength) || !s.follows() || s.kind == edit || w.Gathers() ||
		s.before.Gathers() {
		return ""
	}
	return w.first(func(one *Server) string {
		was, facts := s.before.running(one.Dest.Addr), &s.to.Servers[one.At]
		if was == nil || !was.Fallen || one.Fallen || one.Backup || facts.Health != health.Up ||
			!enough(s, int(one.At)) {
			return ""
		}
		if from := &s.from.Servers[was.At]; s.from.MayServe(from) && !s.from.ServesIn(from) &&
			!s.to.ByHand[one.Dest.Addr] && !s.letsBack() {
			return " comes back without an order"
		}
		return ""
	})
}

// comesAtPace: one server comes back in each tick, unless the other does not serve. A server waits only for another
// that came. With minservers both must return.
func comesAtPace(s *step) string {
	b, w := s.before, s.after
	if !w.has(paced) || !s.follows() || s.kind == edit {
		return ""
	}
	return w.first(func(one *Server) string {
		i, came := int(one.At), false
		for o := range w.Servers {
			other := &w.Servers[o]
			came = came || o != i && !other.Fallen && instant.Before(other.Turn.Add(tick))
		}
		facts := &s.to.Servers[i]
		lifted := !s.to.MayServe(facts) || facts.Weight == 0 || w.has(strength) || w.obey || b.obey ||
			s.kind == obey || s.letsBack() ||
			w.Gathers() || b.Gathers() || s.from.ServesIn(&s.from.Servers[i])
		switch {
		case !one.Fallen && b.Servers[i].Fallen && came && enough(s, i) && !lifted:
			return " comes back too soon after another"
		case facts.Waits && !w.needsOrder(one) && !w.has(byOrdered) && !came && !one.Turn.After(instant):
			return " waits, and no other came"
		}
		return ""
	})
}

// lingers reports whether as many servers were removed as paceout allows in this time.
func (w *world) lingers() bool {
	return w.Removals.N > 0 && instant.Before(w.Removals.Since.Add(tick))
}

// answers reports whether a server is down, and all its failing checks got an answer.
func answers(s *Server) bool {
	for _, check := range s.Checks() {
		if check.Part == 0 && check.Health.State == health.Down && check.Loss == NotReached {
			return false
		}
	}
	return state(s) == health.Down
}

// goesAtPace: of the failing servers that answer, checks take out one in each tick, and count it. With the order to
// obey, all go.
func goesAtPace(s *step) string {
	b, w := s.before, s.after
	if !w.has(pacedOut) || !s.follows() || s.kind == edit || b.obey || w.obey {
		return ""
	}
	gone := 0
	for i := range w.Servers {
		one, was, facts := &w.Servers[i], &s.from.Servers[i], &s.to.Servers[i]
		// a server that was never up is not held
		served := s.from.ServesIn(facts) && (was.Held || was.Kept || was.Health == health.Up)
		out := facts.Out || facts.Drained || facts.Weight == 0 || one.Gone &&
			s.to.Servers[one.MovedTo].Health == health.Up
		gone += bit(served && !out && !one.Backup && !s.to.ServesIn(facts) && answers(one))
	}
	full := b.lingers() && (s.kind != time_ || instant.Before(b.Removals.Since))
	switch {
	case gone > 1-bit(full):
		return "more servers leave than may in this time"
	case gone == 0 && w.lingers() && !full, gone > 0 && (w.Removals != Removals{Since: instant, N: 1}):
		return "the number of removals is counted wrong"
	}
	return ""
}

// remembersFalls: a server that checks took out is known as such until it is back, whatever the file says at that time.
func remembersFalls(s *step) string {
	if !s.after.sl.has(holddown|byOrdered|paced|policy) || !s.follows() || s.kind == look ||
		s.kind == ready || s.kind == retry {
		return ""
	}
	return s.after.first(func(one *Server) string {
		was, to := s.before.At(one.Dest.Addr), &s.to.Servers[one.At]
		if was == nil || to.Backup || to.Weight == 0 || to.Health != health.Down || !s.to.MayServe(to) ||
			s.to.ServesIn(to) || s.to.ByHand[to.Dest.Addr] {
			return ""
		}
		if s.kind == edit && s.from.ByHand[to.Dest.Addr] {
			return "" // the reload ended a change by hand, by which alone it may have served
		}
		from := &s.from.Servers[was.At]
		passed := from.Health == health.Up || from.Kept || from.Held
		if served := passed && s.from.MayServe(from) && s.from.ServesIn(from); (served || was.Fallen) &&
			!one.Fallen {
			return " was taken out by checks, and that is not noted"
		}
		return ""
	})
}
