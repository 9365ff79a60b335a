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

// results handles the results of checks in this step. Each virtual service judges them by its own thresholds.
func (e *examiner) results(updates []schedule.Update) {
	for i := range updates {
		if c, ok := e.checks[updates[i].Task]; ok {
			e.update(c, &updates[i])
		}
	}
	e.settlePaths()
}

func (e *examiner) update(c *check, u *schedule.Update) {
	if u.Unwatched {
		e.unwatch(c, u.Result.Detail)
		return
	}
	c.ended = c.ended || u.Asked
	switch {
	case u.Silences > 0:
		e.silent(c, u)
	case u.Stalled:
		e.tell.found(history.Stalled, &u.Result, c.users...)
	default:
		e.answered(c, u)
	}
}

// answered handles the end of a check. Some results say nothing about the health of the server.
func (e *examiner) answered(c *check, u *schedule.Update) {
	r := &u.Result
	if c.answered = history.At(u.Began); c.agent {
		r.Silence()
	}
	e.tell.found(history.Nothing, r, c.users...)
	for _, x := range c.users {
		x.j.Answered(u.Began, x.v.Back)
		if u.Asked && !r.OK && !c.observed && x.isWatched() {
			e.tell.note(history.Changed, "its watched connection has ended", x.s)
		}
	}
	c.observed = c.observed && !u.Asked
	e.tell.warn(c, r)
	if r.Cause == checker.Shortage {
		e.shortages++
		e.lacked = e.tell.now()
		if e.tell.shortage(c, r) {
			e.arrived(c)
		}
		return
	}
	e.arrived(c)
	switch {
	case r.Report.Silent:
		e.silentReport(c, u)
	case r.Cause == checker.Unjudged:
		e.tell.unjudged(c, r)
	default:
		e.passedOrFailed(c, u)
	}
}

// silentReport handles an agent that does not answer. After health.Silences checks in a row without an answer, the
// percentage that the server reported no longer applies.
func (e *examiner) silentReport(c *check, u *schedule.Update) {
	c.last, c.at, c.began = u.Result, history.At(e.tell.now()), u.Began
	e.tell.found(history.Unjudged, &u.Result, c.users...)
	for _, x := range c.users {
		if e.reported(x, &u.Result) {
			e.weighed(x)
		}
	}
	e.hurry(c)
}

func (e *examiner) passedOrFailed(c *check, u *schedule.Update) {
	r, now := &u.Result, e.tell.now()
	r.CertEnd = cmp.Or(r.CertEnd, c.last.CertEnd) // a failed check saw no certificate
	if r.Stage == wire.AtConnect && r.OK {        // one of the connects of checktype = N
		r.Cert, r.Shows = c.last.Cert, c.last.Shows
	}
	c.last, c.at, c.began = *r, history.At(now), u.Began
	c.last.Body = "" // only monitorfiles need the text
	if r.OK {
		c.answers.add(r.Took)
	}
	for _, x := range c.users {
		x.j.Took(c.passage(), x.v.Back)
	}
	for _, x := range c.users {
		if x.s.Fallback || !e.accuse(x) {
			e.judge(x, r)
		}
	}
	e.conversations.follow(u, c, now)
	e.hurry(c)
}

// silent handles checks that a reload replaced while they were under way. If enough of them end without an answer, the
// server is taken out of service before the new check has a result, except in a section with checkvip.
func (e *examiner) silent(c *check, u *schedule.Update) {
	for _, x := range c.users {
		if int(u.Silences) >= x.v.Rule.Limit() && x.v.Paths == nil {
			e.judge(x, &u.Result)
		}
	}
}

// hurry requests further checks while the last result contradicts the state of a server, at the shortest fastinterval
// of all such servers. While a section waits for the result (see gather), the interval is askedAgain. Without
// fastinterval, it is also askedAgain after a watched connection has ended or a suspicion has begun.
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

// repeat has a check repeated after the given time. If this is 0, the check keeps its usual interval.
func (e *examiner) repeat(c *check, every time.Duration) {
	if every != c.hurried && len(c.users) > 0 {
		c.hurried = every
		e.checked.Hurry(c.users[0].task(), every)
	}
}

// judge applies a result of a check to one server of one virtual service.
func (e *examiner) judge(x user, r *checker.Result) {
	v, s, j := x.v, x.s, x.j
	was, before, why := s.Health(), j.Health, j.reason
	weighs := e.reported(x, r)
	ok := r.OK && !j.Telling.Down
	turned := v.Result(s.Server, j.Check, ok, lossOf(*r))
	changed := j.Health.State != before.State
	j.shortages = 0
	by := counted(before, j.Health, changed, ok, v.Rule)
	e.tell.tell(Change{user: x, Cause: Cause{Result: r, Past: history.Believed(ok), By: by}})
	if j.unjudged != nil {
		j.unjudged.why = ""
	}
	switch {
	case !r.OK:
		j.reason = r.Detail
	case !ok: // its last answer says nothing of it
		j.reason = "it reported down, and stays down until it reports up"
	}
	if s.toldDown && j.reason != why && j.reason != "" {
		e.tell.tell(Change{user: x, Down: new(true)}) // reminders give this reason
	}
	if !s.Fallback { // turned reports fallback servers
		e.tell.judged(x, before, ok)
	}
	if weighs || changed && j.Part > 0 {
		e.weighed(x)
	}
	if s.Held || changed { // rules may depend on how it fails, and by which check
		v.touch()
	}
	if turned {
		e.turned(x, was, by)
	}
}

// judged reports that a check now passes or fails, or how often it has failed.
func (t *teller) judged(x user, before health.Health, ok bool) {
	j, detail := x.j, ""
	if !ok {
		detail = x.named(j.reason)
	}
	changed := j.Health.State != before.State
	switch {
	case changed && !ok && j.Part > 0:
		t.report(x.v, x.s, notify.Tells, fmt.Sprintf("Failed check limits the weight to %d%%", j.Part),
			": "+detail, detail)
	case changed && !ok:
		t.report(x.v, x.s, notify.CheckFailed, "Check failed", ": "+detail, detail)
	case changed && before.State == health.Down,
		ok && before.State == health.Up && before.Streak > 0 && j.Health.Streak == 0:
		t.about(x, notify.SoftReset, "Resetting soft failure count", "", "")
	case !ok && j.Health.State == health.Up:
		t.about(x, notify.SoftFailure, "Soft failure real server",
			fmt.Sprintf(" failure %d/%d", j.Health.Streak, x.v.Rule.Limit()), detail)
	}
}

// turned handles a server that has come up or gone down.
func (e *examiner) turned(x user, was health.State, by history.Outcome) {
	x.v.touch()
	x.v.retry.AtOnce() // this server does not wait for a change that was refused
	e.tell.turned(x, was, by)
	if x.s.Health() != health.Up {
		return
	}
	for y := range x.v.checks(x.s) { // including those that passed earlier
		e.attend(y.j.check)
	}
	if !x.s.Fallback {
		e.gather(x.v, x.j)
	}
}

// weighed makes a virtual service due after the weight of a server has changed. It becomes due at the next whole
// second, or at once if the state of the server has changed or the server is held.
func (e *examiner) weighed(x user) {
	if x.s.steps = true; x.s.Turned || x.s.Held {
		x.v.touch()
	}
	now := e.tell.now()
	if x.v.moves = true; x.v.again.IsZero() || now.Before(x.v.again) {
		x.v.wakeAt(together(now))
	}
}

// reported notes what the server reports with a result, and reports whether its weight may change. There is an event
// when a reduction or a state such as drain begins or ends, or when an agent no longer answers, but not for each new
// percentage.
func (e *examiner) reported(x user, r *checker.Result) (weighs bool) {
	isConnect := r.Stage == wire.AtConnect && r.Report.Wordless // of checktype = N: it asked for no report
	if isConnect || !r.OK && r.Report == (health.Report{}) {
		return false // it ended before it could report anything
	}
	before := x.j.Telling
	weighs = x.v.Report(x.s.Server, x.j.Check, r.Report)
	now := x.j.Telling
	switch {
	case x.s.Fallback:
	case now.IsSilent() && !before.IsSilent():
		e.tell.about(x, notify.CheckWarning,
			"Check warning: no answer, the reported percentage no longer applies", "", r.Detail)
	case now.Admin != before.Admin, (now.Less > 0) != (before.Less > 0):
		says := "reports " + now.String()
		if now.Less == 0 && now.Admin == health.NoAdmin && !r.Report.Weighs {
			says = "no longer reports " + before.String() // nor did it report 100%
		}
		e.tell.note(history.Changed, x.named(says), x.s)
		e.tell.about(x, notify.Tells, "Real server "+says, "", r.Detail)
	case weighs:
		x.s.steps = true
	}
	return weighs
}

// arrived notes that nothing has to wait any longer for the check's first result.
func (e *examiner) arrived(c *check) {
	if !c.reported {
		if c.isAwaited() {
			e.waiting--
		}
		c.reported = true
		for _, x := range c.users {
			x.j.Pending, x.v.weighed = false, false
			x.v.touch() // some rules wait until each check has had a result, whatever it is
		}
	}
}

// lossOf returns how far a failed check got.
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
