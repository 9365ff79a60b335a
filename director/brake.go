package director

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"ldirectord/checker"
	"ldirectord/history"
	"ldirectord/notify"
)

// This file is about the brake of checkvip: when all servers of a section that were up fail only through the virtual address,
// that is this machine's doing, and their states stay. A pass through it shows that the way is fine.

// braked is a failure through the virtual address that is not believed, or not yet.
type braked struct {
	result checker.Result
	began  time.Time // its check
	since  time.Time // the first of those in a row about which nothing is decided
	holds  bool      // all others fail so too
	over   time.Time // not zero: the brake held until then, and a check that began before says nothing
}

// askEvery is how often others are asked while nothing is decided.
const askEvery = 100 * time.Millisecond

// accuses reports whether a failure is held, or nothing is decided about it.
func (b *braked) accuses() bool { return b != nil && b.over.IsZero() }

// mayBrake reports whether a server is up, so that the brake may hold it.
func (s *server) mayBrake() bool {
	return s.verdict() == checker.Up && s.suspended() == ""
}

// passed reports whether the last check passed through the virtual address.
func (c *check) passed() bool { return c.last.OK && c.last.Way == checker.WayThrough }

// brake takes a result, and reports whether it is not to be judged, or not yet.
func (d *Director) brake(v *virtual, s *server, j *judgement) bool {
	c, was := j.check, j.braked
	held, accused := was.accuses() && was.holds, c.last.OwnAnswers && s.mayBrake()
	j.asked = false
	switch {
	case !accused && !v.braking:
		return false
	case !accused:
		j.braked = nil
	case was.accuses():
		was.result, was.began = c.last, c.began
	case was == nil || !c.began.Before(was.over):
		j.braked = &braked{result: c.last, began: c.began, since: d.now()}
	}
	if b := j.braked; b != nil && (b.holds || !b.accuses()) {
		d.disbelieve(fellow{s, j})
	}
	d.decide(v, s, j, held)
	return accused
}

// fellow is a server that a line of a section checks through the virtual address.
type fellow struct {
	s *server
	j *judgement
}

// fellows are the failures about which nothing is decided, those that are held, the servers that may show which it is, and
// when the last check began that passed through the virtual address.
func (v *virtual) fellows(number uint8) (accused, held, open []fellow, proof time.Time) {
	for _, s := range v.servers {
		for j := &s.first; j != nil; j = j.next {
			c, f := j.check, fellow{s, j}
			if c == nil || j.number != number {
				continue
			}
			if c.passed() && c.began.After(proof) {
				proof = c.began
			}
			switch {
			case j.braked.accuses() && j.braked.holds:
				held = append(held, f)
			case j.braked.accuses():
				accused = append(accused, f)
			case s.mayBrake() && (c.passed() || c.last.OwnAnswers || !c.known && v.spec(s, j).Through.Virtual.IsValid()):
				open = append(open, f)
			}
		}
	}
	return accused, held, open, proof
}

// decide judges the failures that tell of their servers, holds those that tell of this machine, and asks others where nothing
// shows which they do. By has the newest result; before reports whether its failures were held until then.
func (d *Director) decide(v *virtual, by *server, newest *judgement, before bool) {
	accused, held, open, proof := v.fellows(newest.number)
	before = before || len(held) > 0
	if newest.check.passed() {
		for _, f := range held {
			f.j.braked.over = d.now()
		}
		held = nil
	}
	alone := len(accused)+len(held)+len(open) == 1
	accused = slices.DeleteFunc(accused, func(f fellow) bool {
		b := f.j.braked
		judged := alone || proof.After(b.began) || d.now().Sub(b.since) > v.patience()
		if judged {
			f.j.braked = nil
			d.judge(v, f.s, f.j, b.result)
			d.hurry(f.j.task, f.j.check)
		}
		return judged
	})
	if len(open) == 0 {
		for _, f := range accused {
			f.j.braked.holds = true
			d.disbelieve(f)
		}
		held, accused = append(held, accused...), nil
	}
	for _, f := range open {
		f.j.asked = len(accused) > 0
		d.hurry(f.j.task, f.j.check)
	}
	v.braking = slices.ContainsFunc(v.servers, func(s *server) bool { return s.braked() != nil })
	d.tellBrake(v, before, held, by, newest.check.passed())
}

// patience is how long nothing may be decided about a failure: then it counts.
func (v *virtual) patience() time.Duration {
	return v.cfg.CheckInterval.Duration() + 2*max(v.cfg.CheckTimeout, v.cfg.NegotiateTimeout).Duration()
}

// disbelieve remembers a failure that does not count.
func (d *Director) disbelieve(f fellow) {
	f.s.past.Result(history.At(d.now()), f.j.number, history.Braked, &f.j.check.last, history.Verdict{})
}

// tellBrake reports that servers are held, where none was before, and that none is any more.
func (d *Director) tellBrake(v *virtual, before bool, held []fellow, by *server, passed bool) {
	why := "none of them fails so any more"
	switch {
	case before == (len(held) > 0):
		return
	case before:
		if passed {
			why = by.name() + " passes"
		}
		d.emit(notify.Event{Kind: notify.GuardOver, Virtual: v.cfg.ID, Text: fmt.Sprintf("Brake is over: %s: %s", v.cfg.ID, why)})
	default:
		why = held[0].j.braked.result.Detail
		d.emit(notify.Event{Kind: notify.GuardHolds, Virtual: v.cfg.ID, Reason: why, Text: fmt.Sprintf("Brake holds: %s: every server that was up "+
			"fails, and only through %s, which is this machine's doing: they keep their states: %s", v.cfg.ID, v.cfg.CheckVIP, why)})
	}
}

// braked is the failure of one of its checks that is, or was, held, or about which nothing is decided; nil: there is none.
func (s *server) braked() (found *braked) {
	for j := &s.first; j != nil; j = j.next {
		found = cmp.Or(j.braked, found)
	}
	return found
}
