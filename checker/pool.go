package checker

import (
	"container/heap"
	"context"
	"sync"
	"time"
)

// Tick is what due times are rounded up to: one wake-up starts all that is due. It halves the
// processor time of a wake-up for each check.
const Tick = 10 * time.Millisecond

const (
	// firstPerTick is how many new tasks start in one tick, so that ten thousand new servers are asked
	// within two seconds and not all in one instant.
	firstPerTick = 50
	// stallAfter is how late the pool may wake before results that failed meanwhile are not believed:
	// a process that was stopped, or a machine that slept, says nothing about the servers.
	stallAfter = 500 * time.Millisecond
	// shortageRetry is how soon a check is repeated that failed by our own shortage.
	shortageRetry = 200 * time.Millisecond
	// landWait is how long cancelled checks may take to end.
	landWait = 2 * time.Second
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
	index   int // in the queue, -1 while in flight
	ran     bool
	ok      bool // of the last result
	doubted bool // the last result was not believed
}

// Update is the result of one check of a task.
type Update struct {
	Task   *Task
	Result Result
}

// Pool makes checks on time: each task at its own interval, none twice at once, each in a goroutine of
// its own only while it is in flight. It is safe for use by several goroutines.
type Pool struct {
	wake    chan struct{} // the schedule changed
	results chan struct{} // there is something to Take
	flights sync.WaitGroup
	asleep  func() time.Duration // how long the machine has been suspended since its boot

	mu      sync.Mutex // guards what follows
	tasks   []*Task
	queue   schedule // tasks that are not in flight
	pending []Update
	spread  float64       // where in its interval the next new task goes
	planned time.Time     // when the pool meant to wake; zero when it is awake
	stalled time.Time     // when it last woke far too late
	slept   time.Duration // of the machine, as far as it was noticed
}

// NewPool returns a pool without tasks. It does nothing until Run.
func NewPool() *Pool {
	return &Pool{wake: make(chan struct{}, 1), results: make(chan struct{}, 1), asleep: suspended}
}

// Set makes tasks the tasks of the pool. Those it has already go on as they are; new ones are checked
// at once; the others are dropped for good, and what they still find is not told.
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

// Results is signalled when there is something to Take. What nobody waits for (one more success) may
// be told up to a second late.
func (p *Pool) Results() <-chan struct{} { return p.results }

// Take returns the results since the last call, oldest first.
func (p *Pool) Take() []Update {
	p.mu.Lock()
	defer p.mu.Unlock()
	u := p.pending
	p.pending = nil
	return u
}

// Overdue is by how much the most belated check is late: one that should have begun, or one that should have
// ended and begun again. It is below a Tick or two while all goes well.
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

// Run makes checks until ctx is done. Those in flight are cancelled then, and waited for: the end of the
// process must not leave a program behind that one of them started. One that can't be ended is not waited for.
func (p *Pool) Run(ctx context.Context) {
	defer p.land()
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

func (p *Pool) land() {
	landed := make(chan struct{})
	go func() { p.flights.Wait(); close(landed) }()
	select {
	case <-landed:
	case <-time.After(landWait):
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
		p.flights.Go(func() { p.run(ctx, t, now) })
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

// finish tells the result and puts the task back into the queue.
func (p *Pool) finish(ctx context.Context, t *Task, r Result, start time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !t.in || ctx.Err() != nil {
		return
	}
	now := time.Now()
	first := !t.ran
	t.ran = true
	switch {
	case r.Local:
		t.due = now.Add(min(shortageRetry, t.Every))
	case !r.OK && !t.doubted && p.overslept(start, now):
		t.doubted = true
		t.due = now
		heap.Push(&p.queue, t)
		signal(p.wake)
		return
	case first:
		t.due = start.Add(p.phase(t.Every))
	case now.Sub(start) >= t.Every: // it took its whole interval: the next one is not late a second time
		t.due = now
	default:
		t.due = after(t.due, t.Every, now)
	}
	t.doubted = false
	told := first || !r.OK || !t.ok
	t.ok = r.OK
	heap.Push(&p.queue, t)
	p.pending = append(p.pending, Update{Task: t, Result: r})
	if told {
		signal(p.results)
	}
	if t.due.Before(p.planned) {
		signal(p.wake)
	}
}

// overslept tells whether the process did not run for a while during a check.
func (p *Pool) overslept(start, now time.Time) bool {
	return p.stalled.After(start) || p.late(now)
}

// late tells whether it should have woken long ago. The process's own clock stands still while the machine
// is suspended, unlike the servers'.
func (p *Pool) late(now time.Time) bool {
	return now.Sub(p.planned) > stallAfter || p.asleep()-p.slept > stallAfter
}

// phase is where in its interval a job goes after its first check: golden-ratio steps spread any
// number of jobs evenly, whenever they come. It is never soon after the first check.
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
	if late := now.Sub(due); late > 0 {
		due = due.Add((late + every - 1) / every * every)
	}
	return due
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
