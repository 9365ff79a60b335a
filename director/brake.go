package director

import (
	"fmt"
	"time"

	"ldirectord/checker"
	"ldirectord/history"
	"ldirectord/judge"
	"ldirectord/notify"
)

// askedAgain is after what time a server is asked that may show whether the way through a virtual address is fine, or
// that is waited for.
const askedAgain = 100 * time.Millisecond

// passage is how the last check went.
func (c *check) passage() judge.Passage {
	r := &c.last
	return judge.Passage{Began: c.began, OK: r.OK, Passed: r.OK && r.Way == checker.WayThrough, Own: r.OwnAnswers}
}

// spot is where a check is in its virtual service.
func (x user) spot() judge.Spot { return judge.Spot{Server: x.s.At, Check: int(x.j.k)} }

// user is the check at a spot.
func (v *virtual) user(at judge.Spot) user {
	s := v.members[at.Server]
	return user{v, s, s.judgement(at.Check)}
}

// brake takes a result, and reports whether it is not to be judged, or not yet.
func (e *examiner) brake(x user) bool {
	kept, idle := x.v.Brake(x.spot(), e.tell.now())
	if idle {
		e.tell.found(history.Braked, &x.j.check.last, x)
	}
	return kept
}

// settleBrakes decides what the results of a wake-up say together.
func (e *examiner) settleBrakes() {
	for _, v := range e.virtuals {
		for line := range v.Brakes {
			if v.Brakes[line].Due {
				e.settleBrake(v, line)
			}
		}
	}
}

// settleBrake judges the failures that tell of their servers, and holds those that tell of this machine. Where nothing
// shows which they do, it asks others.
func (e *examiner) settleBrake(v *virtual, line int) {
	patience := v.cfg.CheckInterval.Duration() + 2*max(v.cfg.CheckTimeout, v.cfg.NegotiateTimeout).Duration()
	done := v.Settle(line, patience, e.tell.now())
	if done.Over {
		e.tell.guard(v, notify.GuardOver, "Brake is over", ": checks count again since this one passed: "+
			v.user(v.Brakes[line].Newest).s.name())
	}
	e.judgeAccused(v, done.Judged)
	for _, at := range done.Asked {
		e.repeat(v.user(at).j.check, askedAgain)
	}
	for _, at := range done.Holds {
		x := v.user(at)
		e.tell.found(history.Braked, &x.j.check.last, x)
	}
	if len(done.Holds) > 0 {
		why := v.user(done.Holds[0]).j.check.last.Detail
		e.tell.say(v, nil, notify.GuardHolds, fmt.Sprintf("Brake holds: %s: every server that was up "+
			"fails, and only through %s. This points to a fault of this director, so the servers keep "+
			"their states: %s",
			v.label(), v.cfg.CheckVIP, why), why)
	}
}

// judgeAccused makes the last failures of servers count.
func (e *examiner) judgeAccused(v *virtual, spots []judge.Spot) {
	for _, at := range spots {
		x := v.user(at)
		e.judge(x, &x.j.check.last)
		e.hurry(x.j.check)
	}
}
