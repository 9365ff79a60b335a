package judge

import (
	"ldirectord/internal/health"
	"ldirectord/internal/lab/always"
)

// ends reports whether a server that fails is to be out of the table by now.
func (w *world) ends(s *Server) bool {
	if w.has(timed) {
		return !s.Failed.IsZero() && instant.Sub(s.Failed) >= 2*tick
	}
	return w.has(cuts) && isProven(s) && s.Looks == 0 && !s.Suspect
}

// isProven reports whether one of the failing checks has passed before.
func isProven(s *Server) bool {
	for _, check := range s.Checks() {
		if check.Health.State == health.Down && check.Part == 0 && check.Proven {
			return true
		}
	}
	return false
}

// isOut reports whether checks alone keep a server out.
func (s *step) isOut(o *always.Server) bool {
	return s.to.MayServe(o) && (o.Health == health.Down || o.Waits && !o.LeftOut) && !o.Held && o.Weight > 0 &&
		!s.to.ByHand[o.Dest.Addr]
}

// failsRightly: a failing server stays in the table for the time of onfail, which begins once. With cut it stays while
// none of its failing checks has passed before.
func failsRightly(s *step) string {
	b, w := s.before, s.after
	if !w.has(timed|cuts) || !s.follows() {
		return ""
	}
	return w.first(func(one *Server) string {
		o := &s.to.Servers[one.At]
		was := b.At(one.Dest.Addr)
		if !s.isOut(o) || was == nil || b.ByHand[one.Dest.Addr] {
			return ""
		}
		_, had := b.table.At(one.Dest.Addr)
		_, in := w.table.At(one.Dest.Addr)
		began := was.Failed
		if s.kind == time_ && !began.IsZero() {
			began = began.Add(-tick)
		}
		switch {
		case had && !in && !o.Ends && s.kind != removal:
			return " is out before its time, or by a check that never passed"
		case !w.has(timed):
		case one.Failed.IsZero():
			return " fails, and its time has not begun"
		case s.from.Servers[was.At].Health == health.Up && !s.from.Servers[was.At].Waits &&
			!one.Failed.Equal(instant):
			return " fails, and its time began earlier"
		case !began.IsZero() && one.Failed.Before(began), !began.IsZero() && one.Failed.After(began) &&
			instant.Sub(began) < 2*tick && s.kind != look:
			return " fails, and its time began anew"
		}
		return ""
	})
}

// provesItself: a check counts as proven once it has passed, until it is replaced.
func provesItself(s *step) string {
	b, w := s.before, s.after
	if !w.has(cuts) || w.dead || b.dead && s.kind != start || s.kind == wakeUp {
		return ""
	}
	return w.first(func(one *Server) string {
		was, i := b.running(one.Dest.Addr), int(one.At)
		for k, check := range one.Checks() {
			passes := s.kind == result && i == int(s.a) && k == int(s.b) && passes(s.c) &&
				check.Health.State == health.Up
			known := s.kind == edit && s.c > 0
			before := was != nil && was.Check(k).Proven &&
				!(s.kind == edit && s.b == editCheck && k == 0 && w.cfg.server[i] == int(s.a))
			if want := s.kind != start && (passes || before); !known && check.Proven != want {
				return ": it counts as proven, or doesn't, without a cause"
			}
		}
		return ""
	})
}
