package judge

import (
	"fmt"
	"slices"
	"time"

	"ldirectord/checker/health"
)

// brakePatience is how long failures wait for a result that shows whose they are.
const brakePatience = tick

// pair are the first two members that there are.
func (w *world) pair() (all []int) {
	for i := range w.present() {
		if len(all) < 2 && !w.Members[i].Unchecked {
			all = append(all, i)
		}
	}
	return all
}

// settleBrakes decides what the results of a wake-up say together, as the director does.
func (w *world) settleBrakes() {
	for line := range w.Brakes {
		for _, at := range w.Settle(line, brakePatience, instant).Judged {
			w.check(at).Began = instant // the next one does not begin before
			w.judge(at, false, NotReached)
		}
	}
}

// passBrakes lets a tick pass for what is known of the way through the virtual address.
func (w *world) passBrakes() {
	for _, t := range w.wayTimes() {
		if !t.IsZero() {
			*t = t.Add(-tick)
		}
	}
}

func (w *world) wayTimes() (all []*time.Time) {
	for i := range w.Brakes {
		all = append(all, &w.Brakes[i].Over)
	}
	for i := range w.Servers {
		for _, check := range w.Servers[i].Checks() {
			if check.Way != nil {
				all = append(all, &check.Began, &check.Accused)
			}
		}
	}
	return all
}

// settleWays makes what is known of the way canonical. When a check began is of interest while it is accused; when one
// passed, while that may be later than an accused one began. Of those before the last tick only the order is kept. A
// check that comes in late began a tick ago: no end of the brake that is older makes it stale.
func (w *world) settleWays() {
	if !w.sl.has(brake) {
		return
	}
	var times []time.Time
	for i := range w.Servers {
		for _, check := range w.Servers[i].Checks() {
			if check.OK = false; check.Passed {
				check.Passed = check.Began.Equal(instant) || w.isProof(check)
			}
			if !check.Passed && check.Accused.IsZero() && !check.Began.Equal(instant) {
				check.Began = time.Time{}
			}
			if !check.Accused.IsZero() && instant.Sub(check.Accused) > brakePatience {
				check.Accused = instant.Add(-brakePatience - tick)
			}
			if !check.Began.IsZero() && check.Began.Before(instant.Add(-tick)) &&
				!slices.Contains(times, check.Began) {
				times = append(times, check.Began)
			}
		}
	}
	slices.SortFunc(times, func(a, b time.Time) int { return b.Compare(a) })
	for i := range w.Servers {
		for _, check := range w.Servers[i].Checks() {
			if at := slices.Index(times, check.Began); at >= 0 {
				check.Began = instant.Add(-time.Duration(2+at) * tick)
			}
		}
	}
	for i := range w.Brakes {
		b := &w.Brakes[i]
		if b.Newest = (Spot{}); !b.Over.Equal(instant) {
			b.Over = time.Time{}
		}
	}
}

// isProof reports whether a check passed after an accused one of its line began.
func (w *world) isProof(passed *Check) bool {
	for i := range w.Servers {
		for _, check := range w.Servers[i].Checks() {
			if check.Line == passed.Line && !check.Accused.IsZero() && check.Began.Before(passed.Began) {
				return true
			}
		}
	}
	return false
}

// What is true of the brake.

// mayBrake reports whether failures of a server through the virtual address alone may be the director's.
func (w *world) mayBrake(i int) bool {
	return !w.Servers[i].Gone && !w.obey && !w.inMaintenance(i) && w.verdict(i) == health.Up
}

func (w *world) accused(i, k int) bool { return !w.Servers[i].Check(k).Accused.IsZero() }

// anyOther reports whether something holds for a check by one line of another server that is there.
func (w *world) anyOther(i, k int, holds func(o int, c *Check) bool) bool {
	for o, s := range w.present() {
		if o != i && !w.Members[o].Unchecked && holds(o, s.Check(k)) {
			return true
		}
	}
	return false
}

// finds is what a step says of a check: who was asked, and what was found.
func (s *step) finds(i, k int) (found uint8, is bool) {
	switch s.kind {
	case result:
		return s.c, i == int(s.a) && k == int(s.b)
	case wakeUp:
		n := slices.Index(s.before.pair(), i)
		return [...]uint8{0, s.a, s.b}[n+1], n >= 0 && k == int(s.c)
	}
	return 0, false
}

// counts is how often a check of before has counted in a step: what was found now, if that says something of the
// server, and a failure of before that is judged now.
func (s *step) counts(i, o, k int, want *health.Health) bool {
	b, w := s.before, s.after
	found, is := s.finds(i, k)
	kept := is && (found == ownOnly || found == ownLate) && b.mayBrake(o) && b.sl.has(brake)
	if is && !kept {
		*want, _ = want.Next(found == 0 || found == void, w.sl.rule)
	}
	return kept || b.sl.has(brake) && b.accused(o, k)
}

// brakesRightly: failures through the virtual address alone of servers that were up count when a check passed by that
// way since, when nothing else could show that it is fine, when it took too long, and by an order.
func brakesRightly(s *step) string {
	b, w := s.before, s.after
	if b.dead || w.dead || !w.sl.has(brake) || s.kind == edit {
		return ""
	}
	for i := range w.Servers {
		for k, check := range w.Servers[i].Checks() {
			was := b.Servers[i].Check(k)
			found, is := s.finds(i, k)
			own := found == ownOnly || found == ownLate
			stayed := b.accused(i, k) && !is || own && is && b.mayBrake(i)
			if !stayed || check.Health == was.Health || w.Servers[i].Gone {
				continue
			}
			began := was.Began
			if is && (was.Accused.IsZero() || found == ownOnly) {
				began = instant
			}
			waited := b.accused(i, k) && instant.Sub(was.Accused) > brakePatience
			proof := found == ownLate ||
				w.anyOther(i, k, func(_ int, c *Check) bool { return c.Passed && c.Began.After(began) })
			alone := !w.anyOther(i, k, func(o int, c *Check) bool { return w.mayBrake(o) && c.Tells })
			switch {
			case b.Brakes[k].Holds && s.kind != obey:
				return fmt.Sprintf("%s is judged while the brake holds", w.who(i))
			case !proof && !alone && !waited && s.kind != obey:
				return fmt.Sprintf("%s is judged, and nothing shows that the way is fine", w.who(i))
			case w.accused(i, k) && !is:
				return fmt.Sprintf("%s is judged, and accused still", w.who(i))
			}
		}
	}
	return ""
}

// brakeEnds: a brake ends by a check that passes, by an order, and when nobody is accused any more, and by nothing
// else. It begins when every server that was up, and can tell, is accused.
func brakeEnds(s *step) string {
	b, w := s.before, s.after
	if b.dead || w.dead || !w.sl.has(brake) || s.kind == edit {
		return ""
	}
	for line := range w.Brakes {
		n, passes, accused, goes, open, left, others := 0, false, false, false, false, false, false
		for i := range w.Servers { // who moves away now was there when the results came
			found, is := s.finds(i, line)
			goes = goes || w.Servers[i].Gone && !b.Servers[i].Gone && w.accused(i, line)
			others = others || !w.accused(i, line) && (b.accused(i, line) || is && found == ownLate)
		}
		for i, one := range w.present() {
			found, is := s.finds(i, line)
			passes = passes || is && found == 0
			accused = accused || w.accused(i, line)
			left = left ||
				b.accused(i, line) && (!is || b.mayBrake(i) && (found == ownOnly || found == ownLate))
			n += bit(w.accused(i, line))
			open = open || w.mayBrake(i) && one.Check(line).Tells && !one.Check(line).Own &&
				!w.Members[i].Unchecked
		}
		was, now := b.Brakes[line].Holds, w.Brakes[line].Holds
		switch {
		case was && !now && !passes && !w.obey && (accused || left):
			return "the brake ends, and nothing shows that the way is fine"
		case was && now && passes, now && w.obey:
			return "the brake holds, though it is to end"
		case now && !accused && !goes && (s.kind == result || s.kind == wakeUp):
			return "the brake holds nobody"
		case now && !was && n == 1 && !others:
			return "the brake holds a server though no other fails"
		case now && !was && open:
			return "the brake holds before all were asked"
		}
		for i := range w.present() {
			found, is := s.finds(i, line)
			began := b.Servers[i].Check(line).Began
			switch {
			case now && w.accused(i, line) && w.isAnswered(i, line):
				return w.who(i) + " is held, and the way was fine since"
			case !b.accused(i, line) && w.accused(i, line) && found == ownLate &&
				b.Brakes[line].Over.Equal(instant):
				return w.who(i) + " is accused by a check from before the brake ended"
			case passes && w.accused(i, line) && b.accused(i, line) && !is && began.Before(instant):
				return w.who(i) + " is accused, and the way is fine"
			case w.accused(i, line) && is && found != ownOnly && found != ownLate:
				return w.who(i) + " is accused, and its check says something of it"
			case w.obey && w.accused(i, line):
				return w.who(i) + " is accused, and the checks are to be obeyed"
			case !was && w.accused(i, line) && !w.Brakes[line].Accuses:
				return w.who(i) + " is accused, and no brake knows of it"
			}
			patience := b.accused(i, line) && instant.Sub(b.Servers[i].Check(line).Accused) > brakePatience
			if s.kind == result && is && !was && patience && w.accused(i, line) &&
				w.Servers[i].Check(line).Accused.Before(instant) {
				return w.who(i) + " is accused for longer than failures wait"
			}
		}
	}
	return ""
}

// isAnswered reports whether a check passed after that of a server began.
func (w *world) isAnswered(i, k int) bool {
	return w.anyOther(i, k,
		func(_ int, c *Check) bool { return c.Passed && c.Began.After(w.Servers[i].Check(k).Began) })
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
