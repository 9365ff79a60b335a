package director

import (
	"fmt"
	"slices"
	"time"

	"ldirectord/checker"
	"ldirectord/history"
	"ldirectord/notify"
)

// This file is about the brake of checkvip: when all servers of a section that were up fail only through the virtual address,
// that is this machine's doing, and their states stay. A pass through it shows that the way is fine.

// braked are failures in a row through the virtual address that are not believed, or not yet.
type braked struct {
	since time.Time // the first one
	holds bool      // all others fail so too
	over  time.Time // not zero: the brake held until then, and a check that began before says nothing
}

// accuses reports whether a failure is held, or nothing is decided about it.
func (b *braked) accuses() bool { return b != nil && b.over.IsZero() }

// isHeld reports whether the state of a server stays by the brake.
func (b *braked) isHeld() bool { return b.accuses() && b.holds }

// mayBrake reports whether a server is up, so that the brake may hold it.
func (s *server) mayBrake() bool { return s.verdict() == checker.Up && s.suspended() == "" }

// passed reports whether the last check passed through the virtual address.
func (c *check) passed() bool { return c.last.OK && c.last.Way == checker.WayThrough }

// dispute is a line of a section about whose failures is to be decided, when all results of a wake-up are there: once, however
// many servers fail.
type dispute struct {
	v      *virtual
	number uint8
}

// disputed is what is to be known of one: a server that just passed, or else the last that had a result, and whether failures
// were held until then.
type disputed struct {
	by     user
	before bool
}

// brake takes a result, and reports whether it is not to be judged, or not yet.
func (d *Director) brake(x user, disputes map[dispute]disputed) bool {
	c, was := x.j.check, x.j.braked
	accused := c.last.OwnAnswers && x.s.mayBrake()
	switch {
	case !accused && !x.v.braking:
		return false
	case !accused:
		x.j.braked = nil
	case was == nil || !was.accuses() && !c.began.Before(was.over):
		x.j.braked = &braked{since: d.now()}
	default:
		d.disbelieve(x)
	}
	which := dispute{x.v, x.j.number}
	now := disputes[which]
	if now.by.j == nil || !now.by.j.check.passed() {
		now.by = x
	}
	now.before = now.before || was.isHeld()
	disputes[which] = now
	return accused
}

// decideAllOf decides about the disputes that the results brought, in their order.
func (d *Director) decideAllOf(updates []checker.Update, disputes map[dispute]disputed) {
	for i := 0; len(disputes) > 0; i++ {
		c := d.checks[updates[i].Task]
		for j := 0; c != nil && j < len(c.users); j++ {
			which := dispute{c.users[j].v, c.users[j].j.number}
			if o, in := disputes[which]; in {
				delete(disputes, which)
				d.decide(o.by, o.before)
			}
		}
	}
}

// fellows are the failures about which nothing is decided, those that are held, the servers that may show which it is, and
// when the last check began that passed through the virtual address: those by the same line of the section.
func (x user) fellows() (accused, held, open []user, proof time.Time) {
	x.v.braking = false
	for f := range checked([]*virtual{x.v}) {
		c := f.j.check
		x.v.braking = x.v.braking || f.j.braked.accuses()
		if f.j.number == x.j.number && c.passed() && c.began.After(proof) {
			proof = c.began
		}
		switch {
		case f.j.number != x.j.number:
		case f.j.braked.isHeld():
			held = append(held, f)
		case f.j.braked.accuses():
			accused = append(accused, f)
		case f.s.mayBrake() && (c.passed() || c.last.OwnAnswers || !c.known && x.v.spec(f.s, f.j).Through.Virtual.IsValid()):
			open = append(open, f)
		}
	}
	return accused, held, open, proof
}

// decide judges the failures that tell of their servers, holds those that tell of this machine, and asks others where nothing
// shows which they do. Newest has a result; before reports whether failures were held until then.
func (d *Director) decide(newest user, before bool) {
	v := newest.v
	accused, held, open, proof := newest.fellows()
	before = before || len(held) > 0
	if newest.j.check.passed() {
		for _, f := range held {
			f.j.braked.over = d.now()
		}
		held = nil
	}
	patience := v.cfg.CheckInterval.Duration() + 2*max(v.cfg.CheckTimeout, v.cfg.NegotiateTimeout).Duration()
	accused = slices.DeleteFunc(accused, func(f user) bool {
		judged := len(accused)+len(held)+len(open) == 1 || proof.After(f.j.check.began) || d.now().Sub(f.j.braked.since) > patience
		if judged {
			f.j.braked = nil
			d.judge(v, f.s, f.j, f.j.check.last)
			d.hurry(f.j.task, f.j.check)
		}
		return judged
	})
	for _, f := range accused {
		if f.j.braked.holds = len(open) == 0; f.j.braked.holds {
			d.disbelieve(f)
			held = append(held, f)
		}
	}
	for _, f := range open {
		f.j.check.asked = f.j.check.asked || len(accused) > 0
		d.hurry(f.j.task, f.j.check)
	}
	switch {
	case !before && len(held) > 0:
		why := held[0].j.check.last.Detail
		d.emit(notify.Event{Kind: notify.GuardHolds, Virtual: v.cfg.ID, Reason: why, Text: fmt.Sprintf("Brake holds: %s: every server that was up "+
			"fails, and only through %s, which is this machine's doing: they keep their states: %s", v.cfg.ID, v.cfg.CheckVIP, why)})
	case before && len(held) == 0:
		d.emit(notify.Event{Kind: notify.GuardOver, Virtual: v.cfg.ID, Text: fmt.Sprintf("Brake is over: %s: checks count again since that of %s", v.cfg.ID, newest.s.name())})
	}
}

// disbelieve remembers a failure that does not count.
func (d *Director) disbelieve(x user) {
	x.s.past.Result(history.At(d.now()), x.j.number, history.Braked, &x.j.check.last, history.Verdict{})
}
