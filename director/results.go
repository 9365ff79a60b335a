package director

import (
	"cmp"
	"time"

	"ldirectord/checker"
	"ldirectord/checker/health"
	"ldirectord/history"
	"ldirectord/notify"
)

// results takes what the checks found. Each virtual service judges it by its own thresholds.
func (d *Director) results(updates []checker.Update) {
	now := time.Now()
	for _, u := range updates {
		c, ok := d.checks[u.Task]
		if !ok {
			continue
		}
		if u.Stalled {
			d.teller.unbelieved(history.Stalled, &u.Result, c.users...)
			continue
		}
		c.answered = u.Began
		for _, x := range c.users {
			x.s.tally.count(u.Result)
			x.v.took.count(u.Result.Took)
			x.v.stages.count(&u.Result.Stages)
			x.j.Answered(u.Began, x.v.Back)
		}
		d.teller.warn(c, u.Result)
		if u.Result.Cause == checker.Shortage {
			d.shortages++
			if d.teller.shortage(c, u.Result) {
				d.arrived(c)
			}
			continue
		}
		d.arrived(c)
		if u.Result.Cause == checker.Unjudged {
			d.teller.unjudged(c, u.Result)
			continue
		}
		u.Result.CertEnd = cmp.Or(u.Result.CertEnd, c.last.CertEnd) // a failed check has seen none
		c.last, c.at, c.passage = u.Result, now, passageOf(&u.Result, u.Began)
		c.last.Body = "" // only monitorfiles need it
		for _, x := range c.users {
			x.j.Took(c.passage, x.v.Back)
		}
		for _, x := range c.users {
			d.teller.record(x, u.Result)
			if !d.brake(x) {
				d.judge(x.v, x.s, x.j, u.Result)
			}
		}
		d.said.follow(&u, c, now)
		d.hurry(u.Task, c)
	}
	d.settleBrakes()
}

// hurry asks for further checks while the last result speaks against the state of a server: by the shortest
// fastinterval of those that use the check.
func (d *Director) hurry(t *checker.Task, c *check) {
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
	d.repeat(t, c, every)
}

// repeat has a check made again after that time; 0: at its interval.
func (d *Director) repeat(t *checker.Task, c *check, every time.Duration) {
	if every != c.hurried {
		c.hurried = every
		d.pool.Hurry(t, every)
	}
}

// judge applies one result of one check to one server of one virtual service.
func (d *Director) judge(v *virtual, s *server, j *judgement, r checker.Result) {
	was, before, rule := s.Verdict(), j.Health, v.Rule
	turned := v.Result(s.Server, j.Check, r.OK, lossOf(r))
	next, changed := j.Health, j.Health.State != before.State
	j.shortages = 0
	by := counted(before, next, changed, r.OK, rule)
	s.past.Result(history.At(d.teller.now()), j.number, history.Believed(r.OK), &r, by)
	if j.unjudged != nil {
		j.unjudged.why = ""
	}
	if !r.OK {
		j.reason = r.Detail
		r.Detail = v.named(s, j, r.Detail)
	}
	softly, _ := before.Soft(rule)
	switch {
	case changed && !r.OK:
		d.teller.say(v, s, notify.CheckFailed, "Check failed: "+v.labelOf(s)+": "+r.Detail, r.Detail)
	case r.OK && (changed && before.State == health.Down || before.State == health.Up && softly > 0 &&
		next.Streak == 0):
		d.teller.say(v, s, notify.SoftReset,
			v.about(s, j, "Resetting soft failure count: %s (%s)", s.label(), v.cfg.ID), "")
	case !r.OK && next.State == health.Up:
		failed, limit := next.Soft(rule)
		d.teller.say(v, s, notify.SoftFailure, v.about(s, j, "Soft failure real server: %s (%s) failure %d/%d",
			s.label(), v.cfg.ID, failed, limit), r.Detail)
	}
	if turned {
		v.dirty = true
		d.teller.turn(user{v, s, j}, was, by)
		if was != health.Unknown {
			s.tally.Transitions++
		}
		if s.Verdict() == health.Up {
			d.gather(v, j)
		}
	}
}

// arrived notes that a check is not waited for any more.
func (d *Director) arrived(c *check) {
	if !c.reported {
		c.reported = true
		d.waiting--
		for _, x := range c.users {
			x.j.Pending, x.v.weighed, x.v.dirty = false, false, x.v.dirty || x.v.cfg.Announce != ""
		}
	}
}
