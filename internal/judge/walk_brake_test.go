package judge

import (
	"slices"

	"ldirectord/internal/health"
	"ldirectord/internal/lab/always"
)

// brakePatience is how long failures wait for a result that shows whether the servers or the director cause them.
const brakePatience = tick

// pair are the first two members that are checked.
func (w *world) pair() (all []int) {
	for s := range w.all() {
		if len(all) < 2 && !s.Unchecked {
			all = append(all, int(s.At))
		}
	}
	return all
}

// settleBrakes evaluates the results of one wake-up together, as the director does.
func (w *world) settleBrakes() {
	for line := range w.Paths {
		for _, at := range w.Settle(line, brakePatience, instant).Judged {
			w.check(at).Began = instant // the next check doesn't begin earlier
			w.judge(at, false, NotReached)
		}
	}
}

// These are facts of the brake.

// mayBeAccused reports whether the brake may hold failures of a server through the virtual address alone.
func mayBeAccused(m *always.Moment, i int) bool {
	s := &m.Servers[i]
	return !s.Gone && !m.Obeys && !s.Out && s.Health == health.Up
}

func (w *world) accused(i, k int) bool { return !w.Servers[i].Check(k).Accused.IsZero() }

func isAccused(s *Server) bool {
	for _, check := range s.Checks() {
		if !check.Accused.IsZero() {
			return true
		}
	}
	return false
}

// anyOther reports whether holds is true for check k of another server.
func (w *world) anyOther(i, k int, holds func(o int, c *Check) bool) bool {
	for s := range w.all() {
		if int(s.At) != i && !s.Unchecked && holds(int(s.At), s.Check(k)) {
			return true
		}
	}
	return false
}

// finds returns what a step found by a check: the result, whether the step has one of this check, and whether that is
// a failure through the virtual address alone.
func (s *step) finds(i, k int) (found uint8, is, own bool) {
	switch s.kind {
	case result:
		found, is = s.c, i == int(s.a) && k == int(s.b)
	case wakeUp:
		n := slices.Index(s.before.pair(), i)
		found, is = [...]uint8{0, s.a, s.b}[n+1], n >= 0 && k == int(s.c)
	}
	return found, is, is && (found == ownOnly || found == ownLate)
}

// counts reports whether an earlier or withheld failure of a check may be judged in this step. It adds the step's own
// result to want, unless the brake withholds that.
func (s *step) counts(i int, was *Server, k int, want *health.Health) bool {
	found, is, own := s.finds(i, k)
	brakes := s.before.sl.has(brake)
	kept := own && brakes && mayBeAccused(s.from, int(was.At))
	if is && !kept {
		*want = want.Next(passes(found), s.after.sl.rule)
	}
	return kept || brakes && !was.Check(k).Accused.IsZero()
}

// isBraked reports whether the brake decides in a step.
func (s *step) isBraked() bool {
	return !s.before.dead && !s.after.dead && s.after.sl.has(brake) && s.kind != edit
}

// brakesRightly: failures of an up server through the virtual address alone count in four cases. A check has passed on
// that path since, no other check could prove that the path works, the failures waited too long, or an order says so.
func brakesRightly(s *step) string {
	if !s.isBraked() {
		return ""
	}
	b, w := s.before, s.after
	return w.first(func(one *Server) string {
		i := int(one.At)
		for k, check := range one.Checks() {
			was := b.Servers[i].Check(k)
			found, is, own := s.finds(i, k)
			stayed := b.accused(i, k) && !is || own && mayBeAccused(s.from, i)
			if !stayed || check.Health == was.Health {
				continue
			}
			began := was.Began
			if is && (was.Accused.IsZero() || found == ownOnly) {
				began = instant
			}
			waited := b.accused(i, k) && instant.Sub(was.Accused) > brakePatience
			proof := found == ownLate ||
				w.anyOther(i, k, func(_ int, c *Check) bool { return c.Passed && c.Began.After(began) })
			alone := !w.anyOther(i, k,
				func(o int, c *Check) bool { return mayBeAccused(s.to, o) && c.Tells })
			switch {
			case b.Paths[k].Holds && s.kind != obey:
				return " is judged while the brake holds"
			case !proof && !alone && !waited && s.kind != obey:
				return " is judged, and nothing proves that the path works"
			case w.accused(i, k) && !is:
				return " is judged, and is still accused"
			}
		}
		return ""
	})
}

// brakeEnds: a brake ends only by a check that passes, by an order, or when no check is accused any more. It begins
// when every up server whose check can show whether the path works is accused.
func brakeEnds(s *step) string {
	if !s.isBraked() {
		return ""
	}
	b, w := s.before, s.after
	for line := range w.Paths {
		n, passes, goes, open, left, others := 0, false, false, false, false, false
		for i := range w.Servers { // a server that moves away now was still there when the results came
			one := &w.Servers[i]
			was, now := b.accused(i, line), w.accused(i, line)
			found, is, own := s.finds(i, line)
			goes = goes || one.Gone && !b.Servers[i].Gone && now
			others = others || !now && (was || is && found == ownLate)
			if one.Gone {
				continue
			}
			passes = passes || is && found == 0
			left = left || was && (!is || own && mayBeAccused(s.from, i))
			n += bit(now)
			open = open || mayBeAccused(s.to, i) && one.Check(line).Tells && !one.Check(line).Own &&
				!one.Unchecked
		}
		was, now := b.Paths[line].Holds, w.Paths[line].Holds
		switch {
		case was && !now && !passes && !w.obey && s.kind != obey && (n > 0 || left):
			return "the brake ends, and nothing proves that the path works"
		case was && now && passes, now && w.obey:
			return "the brake holds, though it is to end"
		case now && n == 0 && !goes && (s.kind == result || s.kind == wakeUp):
			return "the brake holds, and no check is accused"
		case now && !was && n == 1 && !others:
			return "the brake holds a server though no other fails"
		case now && !was && open:
			return "the brake holds before all checks had their turn"
		}
		what := w.first(func(one *Server) string { return s.accusedRightly(one, line, passes) })
		if what != "" {
			return what
		}
	}
	return ""
}

// accusedRightly returns what is wrong with the accusation of a server.
func (s *step) accusedRightly(one *Server, line int, passes bool) string {
	b, w, i := s.before, s.after, int(one.At)
	check, was := one.Check(line), b.Servers[one.At].Check(line)
	if check.Accused.IsZero() {
		return ""
	}
	holds, held := w.Paths[line].Holds, b.Paths[line].Holds
	before := b.accused(i, line)
	found, is, own := s.finds(i, line)
	answered := func(_ int, c *Check) bool { return c.Passed && c.Began.After(check.Began) }
	late := before && instant.Sub(was.Accused) > brakePatience
	switch {
	case holds && w.anyOther(i, line, answered):
		return " is held, and a later check proves that the path works"
	case !before && found == ownLate && b.Paths[line].Over.Equal(instant):
		return " is accused by a check from before the brake ended"
	case passes && before && !is && was.Began.Before(instant):
		return " is accused, and a check proves that the path works"
	case is && !own:
		return " is accused, and its check failed at its own address, or passed"
	case w.obey:
		return " is accused, and the checks are to be obeyed"
	case !held && !w.Paths[line].Accuses:
		return " is accused, and the brake does not know it"
	case s.kind == result && is && !held && late && check.Accused.Before(instant):
		return " is accused for longer than failures wait"
	}
	return ""
}

// failsOwn reports whether the last result of a server is a failure through the virtual address alone.
func (w *world) failsOwn(i int) bool {
	for _, check := range w.Servers[i].Checks() {
		if check.Way != nil && check.Own {
			return true
		}
	}
	return false
}
