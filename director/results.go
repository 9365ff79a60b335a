package director

import (
	"cmp"
	"time"

	"ldirectord/checker"
	"ldirectord/checker/health"
	"ldirectord/checker/schedule"
	"ldirectord/history"
	"ldirectord/notify"
)

// results handles the results of checks. Each virtual service judges them by its own thresholds.
func (e *examiner) results(updates []schedule.Update) {
	now := time.Now()
	for i := range updates {
		u := &updates[i]
		c, ok := e.checks[u.Task]
		if !ok {
			continue
		}
		if u.Stalled {
			e.tell.found(history.Stalled, &u.Result, c.users...)
			continue
		}
		c.answered = history.At(u.Began)
		e.tell.found(history.Nothing, &u.Result, c.users...)
		for _, x := range c.users {
			x.j.Answered(u.Began, x.v.Back)
		}
		e.tell.warn(c, &u.Result)
		if u.Result.Cause == checker.Shortage {
			e.shortages++
			if e.tell.shortage(c, &u.Result) {
				e.arrived(c)
			}
			continue
		}
		e.arrived(c)
		if u.Result.Cause == checker.Unjudged {
			e.tell.unjudged(c, &u.Result)
			continue
		}
		u.Result.CertEnd = cmp.Or(u.Result.CertEnd, c.last.CertEnd) // a failed check saw no certificate
		c.last, c.at, c.began = u.Result, history.At(now), u.Began
		c.last.Body = "" // only monitorfiles need the text
		for _, x := range c.users {
			x.j.Took(c.passage(), x.v.Back)
		}
		for _, x := range c.users {
			if !e.brake(x) {
				e.judge(x, &u.Result)
			}
		}
		e.said.follow(u, c, now)
		e.hurry(c)
	}
	e.settleBrakes()
}

// hurry requests further checks while the last result contradicts the state of a server, at the shortest fastinterval
// of all users of the check.
func (e *examiner) hurry(c *check) {
	var every time.Duration
	for _, x := range c.users {
		fast := x.v.cfg.FastInterval.Duration()
		switch {
		case x.v.Awaits(x.s.Server, x.j.Check):
			fast = askedAgain
		case !x.j.Health.Doubted(c.last.OK):
			continue
		}
		if fast > 0 && (every == 0 || fast < every) {
			every = fast
		}
	}
	e.repeat(c, every)
}

// repeat has a check repeated after this time; 0: at its interval.
func (e *examiner) repeat(c *check, every time.Duration) {
	if every != c.hurried && len(c.users) > 0 {
		c.hurried = every
		e.pool.Hurry(c.users[0].j.task, every)
	}
}

// judge applies one result of one check to one server of one virtual service.
func (e *examiner) judge(x user, r *checker.Result) {
	v, s, j := x.v, x.s, x.j
	was, before, rule := s.Verdict(), j.Health, v.Rule
	turned := v.Result(s.Server, j.Check, r.OK, lossOf(*r))
	next, changed := j.Health, j.Health.State != before.State
	j.shortages = 0
	by := counted(before, next, changed, r.OK, rule)
	e.tell.tell(Change{user: x, Cause: Cause{Result: r, Past: history.Believed(r.OK), By: by}})
	if j.unjudged != nil {
		j.unjudged.why = ""
	}
	detail := ""
	if !r.OK {
		j.reason, detail = r.Detail, x.named(r.Detail)
	}
	softly, _ := before.Soft(rule)
	switch {
	case changed && !r.OK:
		e.tell.say(v, s, notify.CheckFailed, "Check failed: "+v.labelOf(s)+": "+detail, detail)
	case r.OK && (changed && before.State == health.Down || before.State == health.Up && softly > 0 &&
		next.Streak == 0):
		e.tell.say(v, s, notify.SoftReset,
			x.about("Resetting soft failure count: %s (%s)", s.label(), v.cfg.ID), "")
	case !r.OK && next.State == health.Up:
		failed, limit := next.Soft(rule)
		e.tell.say(v, s, notify.SoftFailure, x.about("Soft failure real server: %s (%s) failure %d/%d",
			s.label(), v.cfg.ID, failed, limit), detail)
	}
	if turned {
		v.touch()
		e.tell.turned(x, was, by)
		if s.Verdict() == health.Up {
			e.gather(v, j)
		}
	}
}

// arrived notes that nothing waits for a check any more.
func (e *examiner) arrived(c *check) {
	if !c.reported {
		c.reported = true
		e.waiting--
		for _, x := range c.users {
			if x.j.Pending, x.v.weighed = false, false; x.v.cfg.Announce != "" {
				x.v.touch()
			}
		}
	}
}
