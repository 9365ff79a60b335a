package director

import (
	"fmt"
	"slices"
	"time"

	"ldirectord/checker"
	"ldirectord/checker/health"
	"ldirectord/history"
	"ldirectord/notify"
)

// This file is about the brake of checkvip: when all servers of a section that were up fail only through the virtual
// address, that is this machine's doing, and their states stay. A pass through it shows that the way is fine.

// askedAgain is after what time a server is asked that may show whether the way is fine.
const askedAgain = 100 * time.Millisecond

// brake is what is known of the way of one line of checks in a section. A server is accused while its failures by that
// way are not judged.
type brake struct {
	accuses bool      // servers are accused
	holds   bool      // … and nobody can show that the way is fine, so their states stay
	over    time.Time // when that ended last: a check that began before says nothing
	// a server that passed in this wake-up, or else the last that had a result; zero: nothing is to be decided
	newest user
}

// mayBrake reports whether a server is up, so that the brake may hold it.
func (s *server) mayBrake() bool { return s.Verdict() == health.Up && !s.Suspended() }

// passed reports whether the last check passed through the virtual address.
func (c *check) passed() bool { return c.last.OK && c.last.Way == checker.WayThrough }

// mayTell reports whether the next check may show whether the way is fine: the last one went by it, or there was none
// yet.
func (x user) mayTell() bool {
	c := x.j.check
	if c.at.IsZero() {
		return x.v.spec(x.s, x.j).Through.Virtual.IsValid()
	}
	return c.passed() || c.last.OwnAnswers
}

// isBraked reports whether the state of a server stays by the brake.
func (v *virtual) isBraked(j *judgement) bool { return !j.accused.IsZero() && v.brakes[j.number].holds }

// isBraking reports whether failures of one of the checks are kept.
func (v *virtual) isBraking() bool {
	return slices.ContainsFunc(v.brakes, func(b brake) bool { return b.holds })
}

// brake takes a result, and reports whether it is not to be judged, or not yet.
func (d *Director) brake(x user) bool {
	if len(x.v.brakes) == 0 || x.v.Obeys {
		return false
	}
	b, c := &x.v.brakes[x.j.number], x.j.check
	fails, stale := c.last.OwnAnswers && x.s.mayBrake(), c.began.Before(b.over)
	if fails && (b.holds || stale || !x.j.accused.IsZero()) {
		d.teller.unbelieved(history.Braked, &c.last, x)
	}
	switch {
	case !fails:
		x.j.accused = time.Time{}
	case !stale && x.j.accused.IsZero():
		x.j.accused, b.accuses = d.teller.now(), true
	}
	if b.accuses && (b.newest.j == nil || !b.newest.j.check.passed()) {
		b.newest = x
	}
	return fails
}

// settleBrakes decides what the results of a wake-up say together: once, however many servers fail.
func (d *Director) settleBrakes() {
	for _, v := range d.virtuals {
		for i := range v.brakes {
			if b := &v.brakes[i]; b.newest.j != nil {
				d.settleBrake(b, b.newest)
				b.newest = user{}
			}
		}
	}
}

// settleBrake judges the failures that tell of their servers, and holds those that tell of this machine. Where nothing
// shows which they do, it asks others.
func (d *Director) settleBrake(b *brake, newest user) {
	v := newest.v
	accused, open, proof := v.fellows(newest.j.number)
	switch {
	case b.holds && len(accused) > 0 && !newest.j.check.passed():
		return
	case b.holds:
		for _, f := range accused {
			f.j.accused = time.Time{}
		}
		*b = brake{over: d.teller.now()}
		d.teller.guard(v, notify.GuardOver, "Brake is over", ": checks count again since that of "+
			newest.s.name())
		return
	}
	alone := len(accused)+len(open) == 1
	patience := v.cfg.CheckInterval.Duration() + 2*max(v.cfg.CheckTimeout, v.cfg.NegotiateTimeout).Duration()
	accused = slices.DeleteFunc(accused, func(f user) bool {
		judged := alone || proof.After(f.j.check.began) || d.teller.now().Sub(f.j.accused) > patience
		if judged {
			d.judgeAccused(f)
		}
		return judged
	})
	b.accuses = len(accused) > 0
	if !b.accuses {
		return
	}
	for _, f := range open {
		d.repeat(f.j.task, f.j.check, askedAgain)
	}
	if len(open) > 0 {
		return
	}
	b.holds = true
	for _, f := range accused {
		d.teller.unbelieved(history.Braked, &f.j.check.last, f)
	}
	why := accused[0].j.check.last.Detail
	d.teller.say(v, nil, notify.GuardHolds, fmt.Sprintf("Brake holds: %s: every server that was up "+
		"fails, and only through %s, which is this machine's doing: they keep their states: %s",
		v.label(), v.cfg.CheckVIP, why), why)
}

// judgeAccused makes the last failure of a server count.
func (d *Director) judgeAccused(f user) {
	f.j.accused = time.Time{}
	d.judge(f.v, f.s, f.j, f.j.check.last)
	d.hurry(f.j.task, f.j.check)
}

// releaseBrakes ends the brakes of a virtual service by the order to obey: all failures count, the last ones too.
func (d *Director) releaseBrakes(v *virtual) {
	if v.isBraking() {
		d.teller.guard(v, notify.GuardOver, "Brake is over", ": by order the checks have their way")
	}
	clear(v.brakes)
	for f := range checked(v) {
		if !f.j.accused.IsZero() {
			d.judgeAccused(f)
		}
	}
}

// fellows are the servers that are accused, others that may show whether the way is fine, and when the last check began
// that passed by it: those by the same line of the section.
func (v *virtual) fellows(number uint8) (accused, open []user, proof time.Time) {
	for f := range checked(v) {
		if f.j.number != number {
			continue
		}
		c := f.j.check
		if c.passed() && c.began.After(proof) {
			proof = c.began
		}
		switch {
		case !f.j.accused.IsZero():
			accused = append(accused, f)
		case f.s.mayBrake() && f.mayTell():
			open = append(open, f)
		}
	}
	return accused, open, proof
}
