package core

import (
	"context"
	"math"
	"net/netip"
	"slices"
	"time"

	"ldirectord/checker"
	"ldirectord/internal/schedule"
)

// This file makes the checks of chaos, in the order of schedule.Pool, and has its idle connections.

// pool implements Checks.
type pool struct {
	*driver
	tasks    []*schedule.Task
	jobs     jobs
	spread   float64           // the place of the next new task in its interval
	news     []schedule.Update // that the core has not got yet
	reported time.Time         // when it last got some
}

// jobs are the checks of tasks.
type jobs map[*schedule.Task]*job

type job struct {
	due     time.Time     // when it begins, or while it is under way, ends
	planned time.Time     // when it begins by its interval
	hurried time.Duration // the time to an extra check; 0: none
	in      bool          // the pool has the task
	wanted  bool          // it is asked for
	asked   bool          // the check under way was asked for
	passed  bool          // the last result
	began   time.Time     // zero: it has never begun
	answer  func() checker.Result
}

func (p *pool) job(t *schedule.Task) *job {
	if p.jobs[t] == nil {
		p.jobs[t] = &job{}
	}
	return p.jobs[t]
}

// Set begins the checks of new tasks at once. The results of those that are gone are of no interest.
func (p *pool) Set(tasks []*schedule.Task, _ map[*schedule.Task]*schedule.Task) {
	for _, t := range p.tasks {
		if !slices.Contains(tasks, t) {
			delete(p.jobs, t)
		}
	}
	for _, t := range tasks {
		if j := p.job(t); !j.in {
			j.in, j.due, j.planned = true, p.now, p.now
		}
	}
	p.tasks = tasks
}

func (p *pool) Hurry(t *schedule.Task, every time.Duration) {
	p.job(t).hurried = every
	p.job(t).hasten(p.now)
}

func (p *pool) Ask(tasks ...*schedule.Task) {
	for _, t := range tasks {
		p.job(t).wanted = true
		p.job(t).hasten(p.now)
	}
}

func (p *pool) Tape(*schedule.Task) {}

// hasten has a check begin earlier than by its interval if it is hurried or asked for.
func (j *job) hasten(now time.Time) {
	switch {
	case j.answer != nil || !j.in: // its end continues it
	case j.wanted:
		j.due = earliest(j.planned, now)
	case j.hurried > 0:
		j.due = earliest(j.planned, now.Add(j.hurried))
	default:
		j.due = j.planned
	}
}

// due is what the pool does next.
func (p *pool) due() (first moment) {
	for _, t := range p.tasks {
		j := p.jobs[t]
		if first.play != nil && !j.due.Before(first.at) {
			continue
		}
		first = moment{j.due, func() { p.begin(t, j) }}
		if j.answer != nil {
			first.play = func() { p.finish(t, j) }
		}
	}
	if at := p.reported.Add(time.Second); len(p.news) > 0 && (first.play == nil || at.Before(first.at)) {
		first = moment{at, p.tell}
	}
	return first
}

func (p *pool) begin(t *schedule.Task, j *job) {
	if j.began.IsZero() {
		_, p.spread = math.Modf(p.spread + math.Phi)
		j.planned = p.now.Add(t.Every/10 + time.Duration(p.spread*float64(t.Every)))
	}
	took, answer := t.Checker.(asking).begin()
	j.began, j.due, j.answer = p.now, p.now.Add(took), answer
	j.asked, j.wanted = j.wanted, false
}

// finish ends a check. A success after a success is reported up to a second later.
func (p *pool) finish(t *schedule.Task, j *job) {
	u := schedule.Update{Task: t, Result: j.answer(), Began: j.began, Asked: j.asked}
	p.news = append(p.news, u)
	reported := !u.Result.OK || !j.passed || j.hurried > 0 || j.asked
	for !j.planned.After(j.began) || j.planned.Before(p.now) {
		j.planned = j.planned.Add(t.Every)
	}
	if p.since(j.began) >= t.Every {
		j.planned = p.now
	}
	j.passed, j.answer = u.Result.OK, nil
	if j.hasten(p.now); reported {
		p.tell()
	}
}

// tell gives the core the results.
func (p *pool) tell() {
	news := p.news
	p.news, p.reported = nil, p.now
	p.event(func() { p.Results(p.now, news) })
}

// asking is a check of the world, which its pool asks.
type asking struct {
	w *truth
	probe
}

func (asking) Check(context.Context) checker.Result { panic("no pool asks") }

// begin begins a check. Its answer comes after a time that differs between servers.
func (a asking) begin() (took time.Duration, answer func() checker.Result) {
	octets := a.addr.Addr().As4()
	took = time.Duration(octets[3])*time.Millisecond +
		time.Duration(a.addr.Port()-80+uint16(len(a.check)))*10*time.Microsecond
	switch a.w.conditions[a.addr] {
	case slow:
		took += 700 * time.Millisecond
	case hanging:
		took += 1500 * time.Millisecond
	}
	history, began := a.w.history(a.probe), a.w.now
	return took, func() checker.Result { return a.w.answer(a.probe, history, began) }
}

// idle has the idle connections to servers.
type idle struct {
	watched
	pool *pool
}

// end ends the connection to an address, which has its checks made at once.
func (w *idle) end(to netip.AddrPort) {
	if w.open[to] != nil {
		delete(w.open, to)
		w.pool.Ask(w.all[to].Tasks...)
	}
}
