package core

import (
	"cmp"
	"fmt"
	"time"

	"ldirectord/checker"
	"ldirectord/checker/wire"
	"ldirectord/internal/health"
	"ldirectord/internal/history"
	"ldirectord/internal/judge"
	"ldirectord/internal/notify"
	"ldirectord/internal/schedule"
)

// results handles the results of checks. Each virtual service judges them by its own thresholds.
func (e *examiner) results(updates []schedule.Update) {
	now := e.tell.now()
	for i := range updates {
		u := &updates[i]
		c, ok := e.checks[u.Task]
		if !ok {
			continue
		}
		if u.Unwatched {
			e.unwatch(c, u.Result.Detail)
			continue
		}
		c.ended = c.ended || u.Asked
		if u.Silences > 0 {
			e.silent(c, u)
			continue
		}
		if u.Stalled {
			e.tell.found(history.Stalled, &u.Result, c.users...)
			continue
		}
		if c.answered = history.At(u.Began); c.agent {
			u.Result.Silence()
		}
		e.tell.found(history.Nothing, &u.Result, c.users...)
		for _, x := range c.users {
			x.j.Answered(u.Began, x.v.Back)
			if u.Asked && !u.Result.OK && !c.observed && x.isWatched() {
				e.tell.note(history.Changed, "its watched connection has ended", x.s)
			}
		}
		c.observed = c.observed && !u.Asked
		e.tell.warn(c, &u.Result)
		if u.Result.Cause == checker.Shortage {
			e.shortages++
			if e.tell.shortage(c, &u.Result) {
				e.arrived(c)
			}
			continue
		}
		e.arrived(c)
		if u.Result.Report.Silent {
			c.last, c.at, c.began = u.Result, history.At(now), u.Began
			e.tell.found(history.Unjudged, &u.Result, c.users...)
			for _, x := range c.users {
				if e.reported(x, &u.Result) {
					e.weighed(x)
				}
			}
			e.hurry(c)
			continue
		}
		if u.Result.Cause == checker.Unjudged {
			e.tell.unjudged(c, &u.Result)
			continue
		}
		u.Result.CertEnd = cmp.Or(u.Result.CertEnd, c.last.CertEnd) // a failed check saw no certificate
		if u.Result.Stage == wire.AtConnect && u.Result.OK {        // one of the connects of checktype = N
			u.Result.Cert, u.Result.Shows = c.last.Cert, c.last.Shows
		}
		c.last, c.at, c.began = u.Result, history.At(now), u.Began
		if u.Result.OK {
			c.answers.add(u.Result.Took)
		}
		c.last.Body = "" // only monitorfiles need the text
		for _, x := range c.users {
			x.j.Took(c.passage(), x.v.Back)
		}
		for _, x := range c.users {
			if x.s.Fallback || !e.accuse(x) {
				e.judge(x, &u.Result)
			}
		}
		e.conversations.follow(u, c, now)
		e.hurry(c)
	}
	e.settlePaths()
}

// silent handles the end of checks that a reload replaced on their way. As many without an answer as failures make a
// server down take it out before the new check has a result.
func (e *examiner) silent(c *check, u *schedule.Update) {
	for _, x := range c.users {
		if _, limit := x.j.Health.Soft(x.v.Rule); int(u.Silences) >= limit && x.v.Paths == nil {
			e.judge(x, &u.Result)
		}
	}
}

// hurry requests further checks while the last result contradicts the state of a server, at the shortest fastinterval
// of all users of the check. After the end of a watched connection, or a suspicion, the state is settled soon even
// without fastinterval.
func (e *examiner) hurry(c *check) {
	var every time.Duration
	c.ended = c.ended && !c.last.OK
	for _, x := range c.users {
		fast := x.use().Section().FastInterval.Duration()
		switch {
		case x.v.Awaits(x.s.Server, x.j.Check):
			fast = askedAgain
		case c.last.Report.Silent,
			!x.j.Health.Doubted(c.last.OK && !x.j.Telling.Down) && !x.j.Telling.IsDoubted():
			continue
		case c.ended && (x.isWatched() || x.use().Section().Observes(x.s.entry.Real)):
			fast = cmp.Or(fast, askedAgain)
		}
		if fast > 0 && (every == 0 || fast < every) {
			every = fast
		}
	}
	c.ended = c.ended && every > 0
	e.repeat(c, every)
	e.attend(c)
}

// repeat has a check repeated after this time; 0: at its interval.
func (e *examiner) repeat(c *check, every time.Duration) {
	if every != c.hurried && len(c.users) > 0 {
		c.hurried = every
		e.checked.Hurry(c.users[0].task(), every)
	}
}

// judge applies one result of one check to one server of one virtual service.
func (e *examiner) judge(x user, r *checker.Result) {
	v, s, j := x.v, x.s, x.j
	was, before, rule := s.Health(), j.Health, v.Rule
	weighs := e.reported(x, r)
	ok := r.OK && !j.Telling.Down
	turned := v.Result(s.Server, j.Check, ok, lossOf(*r))
	next, changed := j.Health, j.Health.State != before.State
	j.shortages = 0
	by := counted(before, next, changed, ok, rule)
	e.tell.tell(Change{user: x, Cause: Cause{Result: r, Past: history.Believed(ok), By: by}})
	if j.unjudged != nil {
		j.unjudged.why = ""
	}
	if !r.OK {
		j.reason = r.Detail
	}
	detail := ""
	if !ok {
		detail = x.named(j.reason)
	}
	softly, _ := before.Soft(rule)
	switch {
	case s.Fallback: // it is reported in turned
	case changed && !ok && j.Part > 0:
		e.tell.report(v, s, notify.Tells, fmt.Sprintf("Failed check limits the weight to %d%%", j.Part),
			": "+detail, detail)
	case changed && !ok:
		e.tell.report(v, s, notify.CheckFailed, "Check failed", ": "+detail, detail)
	case ok && (changed && before.State == health.Down || before.State == health.Up && softly > 0 &&
		next.Streak == 0):
		e.tell.about(x, notify.SoftReset, "Resetting soft failure count", "", "")
	case !ok && next.State == health.Up:
		failed, limit := next.Soft(rule)
		e.tell.about(x, notify.SoftFailure, "Soft failure real server",
			fmt.Sprintf(" failure %d/%d", failed, limit), detail)
	}
	if weighs || changed && j.Part > 0 {
		e.weighed(x)
	}
	if s.Held || changed { // rules may read how it fails, and which check
		v.touch()
	}
	if turned {
		v.touch()
		v.retry.AtOnce() // this server does not wait for a change that was refused
		e.tell.turned(x, was, by)
		if s.Health() == health.Up {
			for y := range v.checks(s) { // those that passed before
				e.attend(y.j.check)
			}
			if !s.Fallback {
				e.gather(v, j)
			}
		}
	}
}

// weighed has the table follow a changed weight of a server: at the next step, or at once if the server is added or
// removed.
func (e *examiner) weighed(x user) {
	if x.s.steps = true; x.s.Turned || x.s.Held {
		x.v.touch()
	}
	now := e.tell.now()
	if x.v.moves = true; x.v.again.IsZero() || now.Before(x.v.again) {
		x.v.wakeAt(together(now))
	}
}

// reported notes what the server reports with a result, and returns whether its weight may change. There is an event
// when a reduction begins and ends, not for each percentage.
func (e *examiner) reported(x user, r *checker.Result) (weighs bool) {
	if !r.OK && r.Report == (health.Report{}) {
		return false // it failed before it could report anything
	}
	before := x.j.Telling
	weighs = judge.Report(&x.v.Case, x.s.Server, x.j.Check, r.Report)
	now := x.j.Telling
	switch {
	case x.s.Fallback:
	case now.IsSilent() && !before.IsSilent():
		e.tell.about(x, notify.CheckWarning,
			"Check warning: no answer, the reported percentage no longer applies", "", r.Detail)
	case now.Admin != before.Admin, (now.Less > 0) != (before.Less > 0):
		e.tell.note(history.Changed, x.named("reports "+now.String()), x.s)
		e.tell.about(x, notify.Tells, fmt.Sprintf("Real server reports %v", now.Words), "", r.Detail)
	case weighs:
		x.s.steps = true
	}
	return weighs
}

// arrived notes that nothing waits for a check any more.
func (e *examiner) arrived(c *check) {
	if !c.reported {
		if c.isAwaited() {
			e.waiting--
		}
		c.reported = true
		for _, x := range c.users {
			x.j.Pending, x.v.weighed = false, false
			x.v.touch() // rules wait for the last one, whatever its result
		}
	}
}

// lossOf grades the failure of a check.
func lossOf(r checker.Result) judge.Loss {
	switch {
	case r.Stage == wire.AtConnect, r.Cause == checker.Refused, r.Cause == checker.Unreachable:
		return judge.NotReached
	case r.Cause == checker.Answer:
		return judge.WrongAnswer
	default:
		return judge.NoAnswer
	}
}
