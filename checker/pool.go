package checker

import (
	"container/heap"
	"context"
	"sync"
	"time"
)

// Tick is the grid of wake-ups. Each starts all checks that are due, which halves the processor time of one wake-up for
// each check.
const Tick = 10 * time.Millisecond

const (
	// firstPerTick is how many new tasks start in one tick: ten thousand new servers are checked within two seconds, and
	// not all at the same time.
	firstPerTick = 50
	// stallAfter is how late the pool may wake before failures from that time are ignored: when the process was stopped
	// or the machine was suspended, they say nothing about the servers.
	stallAfter = 500 * time.Millisecond
	// shortageRetry is the wait before a check is repeated that failed by a shortage of this machine.
	shortageRetry = 200 * time.Millisecond
	// endTimeout is how long cancelled checks may take to end.
	endTimeout = 2 * time.Second
)

// Job is one check and how often it is made. Equal jobs are the same job.
type Job struct {
	Spec  Spec
	Every time.Duration
}

// Task is a job in a pool.
type Task struct {
	Job
	Checker Checker

	// What follows is guarded by the pool's mu.
	in      bool // the pool has it
	due     time.Time
	index   int // in the queue, -1 while its check runs
	ran     bool
	ok      bool // of the last result
	doubted bool // the last result was ignored
}

// Update is the result of one check of a task.
type Update struct {
	Task   *Task
	Result Result
}

// Pool makes checks on time: each task at its own interval, and never twice at the same time. A task has a goroutine only
// while its check runs. A Pool is safe for use by several goroutines.
type Pool struct {
	wake    chan struct{} // the schedule changed
	results chan struct{} // there is something to Take
	running sync.WaitGroup
	asleep  func() time.Duration // how long the machine has been suspended since its boot

	mu      sync.Mutex // guards what follows
	tasks   []*Task
	queue   schedule // tasks whose check does not run
	pending []Update
	spread  float64       // where in its interval the next new task goes
	planned time.Time     // when the pool last planned to wake; zero before the first round
	stalled time.Time     // when it last woke far too late
	slept   time.Duration // what asleep returned last
}

// NewPool returns a pool without tasks. It does nothing until Run.
func NewPool() *Pool {
	return &Pool{wake: make(chan struct{}, 1), results: make(chan struct{}, 1), asleep: suspended}
}

// Set makes tasks the tasks of the pool. Those that it already has keep their schedule. New ones are checked at once. The
// others are dropped: no result of them is reported any more.
func (p *Pool) Set(tasks []*Task) {
	p.mu.Lock()
	defer p.mu.Unlock()
	kept := make(map[*Task]bool, len(tasks))
	for _, t := range tasks {
		kept[t] = true
	}
	for _, t := range p.tasks {
		if kept[t] {
			continue
		}
		t.in = false
		if t.index >= 0 {
			heap.Remove(&p.queue, t.index)
		}
	}
	now, news := time.Now(), 0
	for _, t := range tasks {
		if t.in {
			continue
		}
		t.in, t.due = true, now.Add(time.Duration(news/firstPerTick)*Tick)
		news++
		heap.Push(&p.queue, t)
	}
	p.tasks = tasks
	signal(p.wake)
}

// Results is signalled when there is something to Take. A success after a success may be reported up to a second late.
func (p *Pool) Results() <-chan struct{} { return p.results }

// Take returns the results since the last call, oldest first.
func (p *Pool) Take() []Update {
	p.mu.Lock()
	defer p.mu.Unlock()
	u := p.pending
	p.pending = nil
	return u
}

// Overdue is by how much the latest check is late: one that should have begun, or one that should have ended and begun
// again. It is less than two Ticks on a machine that keeps up.
func (p *Pool) Overdue() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	now, late := time.Now(), time.Duration(0)
	for _, t := range p.tasks {
		due := t.due
		if t.index < 0 {
			due = due.Add(t.Every)
		}
		late = max(late, now.Sub(due))
	}
	return late
}

// Run makes checks until ctx is done. Checks that run then are cancelled, and waited for: the process must not leave
// programs running that they started. A check that does not end is not waited for.
func (p *Pool) Run(ctx context.Context) {
	defer p.waitForRunning()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-p.wake:
		case <-timer.C:
		}
		timer.Reset(p.round(ctx))
	}
}

func (p *Pool) waitForRunning() {
	ended := make(chan struct{})
	go func() { p.running.Wait(); close(ended) }()
	select {
	case <-ended:
	case <-time.After(endTimeout):
	}
}

// round starts what is due and returns how long to sleep until more is.
func (p *Pool) round(ctx context.Context) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	if !p.planned.IsZero() && p.late(now) {
		p.stalled = now
	}
	p.slept = p.asleep()
	for len(p.queue) > 0 && !p.queue[0].due.After(now) {
		t := heap.Pop(&p.queue).(*Task)
		p.running.Go(func() { p.run(ctx, t, now) })
	}
	if len(p.pending) > 0 {
		signal(p.results)
	}
	next := time.Second
	if len(p.queue) > 0 {
		next = min(next, max(p.queue[0].due.Sub(now), 0))
	}
	next = ceil(next)
	p.planned = now.Add(next)
	return next
}

func (p *Pool) run(ctx context.Context, t *Task, start time.Time) {
	r := t.Checker.Check(ctx)
	r.Took = time.Since(start)
	p.finish(ctx, t, r, start)
}

// finish reports the result and puts the task back into the queue. A failure from a time when the process or the machine
// did not run is ignored once: the check is made again at once.
func (p *Pool) finish(ctx context.Context, t *Task, r Result, start time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !t.in || ctx.Err() != nil {
		return
	}
	now := time.Now()
	if !r.OK && !r.Local && !t.doubted && p.overslept(start, now) {
		t.ran, t.doubted, t.due = true, true, now
		heap.Push(&p.queue, t)
		signal(p.wake)
		return
	}
	told := !t.ran || !r.OK || !t.ok
	t.due = p.next(t, r, start, now)
	t.ran, t.ok, t.doubted = true, r.OK, false
	heap.Push(&p.queue, t)
	p.pending = append(p.pending, Update{Task: t, Result: r})
	if told {
		signal(p.results)
	}
	if t.due.Before(p.planned) {
		signal(p.wake)
	}
}

// next is when a task is due again after a check from start to now.
func (p *Pool) next(t *Task, r Result, start, now time.Time) time.Time {
	if r.Local {
		return now.Add(min(shortageRetry, t.Every))
	}
	if !t.ran {
		return start.Add(p.phase(t.Every))
	}
	if now.Sub(start) >= t.Every { // it took its whole interval: the next one is not late, too
		return now
	}
	return after(t.due, t.Every, now)
}

// overslept reports whether the process did not run for some time during a check.
func (p *Pool) overslept(start, now time.Time) bool {
	return p.stalled.After(start) || p.late(now)
}

// late reports whether the pool should have woken long before. The process's own clock stops while the machine is
// suspended, unlike the servers'.
func (p *Pool) late(now time.Time) bool {
	return now.Sub(p.planned) > stallAfter || p.asleep()-p.slept > stallAfter
}

// phase is where in its interval a job is made after its first check. Steps of the golden ratio spread any number of jobs
// evenly, whenever they are added. The second check is never soon after the first.
func (p *Pool) phase(every time.Duration) time.Duration {
	p.spread += 0.6180339887498949
	if p.spread >= 1 {
		p.spread--
	}
	return every/10 + time.Duration(p.spread*float64(every-every/10))
}

// after is the next time that a job is due, in steps of its interval from the last one.
func after(due time.Time, every time.Duration, now time.Time) time.Time {
	due = due.Add(every)
	late := max(now.Sub(due), 0)
	return due.Add((late + every - 1) / every * every)
}

// ceil rounds a duration up to whole ticks.
func ceil(d time.Duration) time.Duration { return (d + Tick - 1) / Tick * Tick }

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// schedule is a heap of tasks by the time they are due.
type schedule []*Task

func (s schedule) Len() int           { return len(s) }
func (s schedule) Less(i, j int) bool { return s[i].due.Before(s[j].due) }
func (s schedule) Swap(i, j int) {
	s[i], s[j] = s[j], s[i]
	s[i].index, s[j].index = i, j
}

func (s *schedule) Push(x any) {
	t := x.(*Task)
	t.index = len(*s)
	*s = append(*s, t)
}

func (s *schedule) Pop() any {
	old := *s
	t := old[len(old)-1]
	old[len(old)-1] = nil
	*s = old[:len(old)-1]
	t.index = -1
	return t
}
