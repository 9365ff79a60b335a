// Package schedule makes checks on time: a pool that knows when each is due, and one loop over all sockets that makes
// light checks without a goroutine for each. Its benchmarks, and those of package checker, say what that saves.
package schedule

import (
	"container/heap"
	"context"
	"math"
	"sync"
	"time"

	"ldirectord/checker"
	"ldirectord/checker/transcript"
	"ldirectord/checker/wire"
)

// Tick is the finest grid of wake-ups.
const Tick = 10 * time.Millisecond

const (
	// firstPerTick is how many new tasks start in one tick: ten thousand new servers are checked within a second,
	// and not all at the same time.
	firstPerTick = 200
	// A wake-up costs more than a check. So that one starts many, the checks of an interval are due on a grid. It
	// is as coarse as one instant has perGrid checks, but never coarser than a share of the interval.
	perGrid   = 50
	gridShare = 20
	// maxSleep is the longest time between two wake-ups, and how late a success after a success may be reported if
	// all intervals are as long.
	maxSleep = time.Second
	// stallAfter is how late the pool may wake before failures from that time are ignored: when the process was
	// stopped or the machine was suspended, they say nothing about the servers.
	stallAfter = 500 * time.Millisecond
	// shortageRetry is the wait before a check is repeated that failed by a shortage of this machine. It doubles
	// with each more in a row, up to the interval: a shortage may last for good.
	shortageRetry = 200 * time.Millisecond
	maxDoublings  = 16
	// extraEvery is the time between two checks of all hurried tasks together, but for those of their schedule: a
	// rack that dies is no storm.
	extraEvery = 2 * time.Millisecond
	// endTimeout is how long cancelled checks may take to end.
	endTimeout = 2 * time.Second
)

// Task is one check and how often it is made. Its Spec is not kept: it is larger than all else that a server takes.
type Task struct {
	Every   time.Duration
	Checker checker.Checker

	// What follows is guarded by the pool's mu.
	due  time.Time
	late time.Duration // how much later it is due by its interval; 0: that is due
	// from the end of one check to the start of the next, at most; 0: it is made by its interval
	hurried   time.Duration
	index     int  // in the queue, -1 while its check runs
	in        bool // the pool has it
	ran       bool
	ok        bool  // of the last result
	doubted   bool  // the last result was ignored
	granted   bool  // it has its place among the extra checks
	taped     bool  // what is said in the next check is taken down
	shortages uint8 // in a row that were followed by a shorter wait than the interval
}

func (t *Task) when() time.Time { return t.due }
func (t *Task) moved(index int) { t.index = index }

// Update is the result of one check of a task.
type Update struct {
	Task   *Task
	Result checker.Result
	Began  time.Time        // the check
	Tape   *transcript.Tape // what was said; nil: it was not taken down
	// a failure from a time when the process or the machine did not run: it says nothing, and the check is made
	// again
	Stalled bool
}

// Pool makes checks on time: each task at its own interval, and never twice at the same time. A task has a goroutine
// only while its check runs, and a light check (connect, plain HTTP, ping) not even then: the goroutine of Run makes
// it. A Pool is safe for use by several goroutines.
type Pool struct {
	wake    chan struct{} // the schedule changed
	results chan struct{} // there is something to Take
	running sync.WaitGroup
	asleep  func() time.Duration // how long the machine has been suspended since its boot

	mu      sync.Mutex // guards what follows
	loop    *loop      // nil before the first light check
	tasks   []*Task
	queue   byTime[*Task]         // tasks whose check does not run
	every   map[time.Duration]int // how many tasks have which interval
	pending []Update
	taken   []Update      // used again
	told    time.Time     // when results was last signalled
	quiet   time.Duration // how late a success after a success may be reported
	spread  float64       // where in its interval the next new task goes
	free    time.Time     // when the next extra check may begin
	epoch   time.Time     // where all grids begin
	planned time.Time     // when the pool last planned to wake; zero before the first round
	stalled time.Time     // when it last woke far too late
	slept   time.Duration // what asleep returned last
}

// NewPool returns a pool without tasks. It does nothing until Run.
func NewPool() *Pool {
	return &Pool{wake: make(chan struct{}, 1), results: make(chan struct{}, 1), asleep: suspended,
		epoch: time.Now()}
}

// Set makes tasks the tasks of the pool. Those that it already has keep their schedule. New ones are checked at once.
// The others are dropped: no result of them is reported any more.
func (p *Pool) Set(tasks []*Task) {
	p.mu.Lock()
	defer p.mu.Unlock()
	kept := make(map[*Task]bool, len(tasks))
	p.every, p.quiet = map[time.Duration]int{}, maxSleep
	for _, t := range tasks {
		kept[t] = true
		p.every[t.Every]++
		p.quiet = min(p.quiet, t.Every)
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
	p.changed()
}

// Hurry makes extra checks of a task until it is called with 0: each one as long after the end of the one before, where
// that is sooner than the task's interval says. There are at most 500 of them a second for all tasks. Where one has to
// wait for its turn, it comes later, or not before the task is due anyway.
func (p *Pool) Hurry(t *Task, every time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	t.hurried = every
	if !t.in || t.index < 0 {
		return // finish continues it
	}
	t.hasten(time.Now())
	heap.Fix(&p.queue, t.index)
	if t.due.Before(p.planned) {
		p.changed()
	}
}

// calm makes a task due by its interval. It may just have been checked by its hurry.
func (t *Task) calm() { t.due, t.late, t.granted = t.due.Add(t.late), 0, false }

// hasten makes a task due sooner than by its interval, if it is hurried.
func (t *Task) hasten(now time.Time) {
	t.calm()
	soon := now.Add(t.hurried)
	if late := t.due.Sub(soon); t.hurried > 0 && late > 0 {
		t.due, t.late = soon, late
	}
}

// grants reports whether a task that is due may be checked now. If not, it is due later.
func (p *Pool) grants(t *Task, now time.Time) bool {
	if t.late == 0 || t.granted {
		return true
	}
	if p.free.Before(now) {
		p.free = now
	}
	if wait := p.free.Sub(t.due); wait < t.late {
		t.due, t.late, t.granted = p.free, t.late-wait, true
		p.free = p.free.Add(extraEvery)
	} else {
		t.calm()
	}
	return !t.due.After(now)
}

// Tape takes down what is said in the next check of a task, for its Update. The check is made when it is due anyway,
// without the loop.
func (p *Pool) Tape(t *Task) {
	p.mu.Lock()
	defer p.mu.Unlock()
	t.taped = true
}

// Results is signalled when there is something to Take. A success after a success may be reported up to a second late,
// or as late as the shortest interval.
func (p *Pool) Results() <-chan struct{} { return p.results }

// Take returns the results since the last call, oldest first. They are good until the next call.
func (p *Pool) Take() []Update {
	p.mu.Lock()
	defer p.mu.Unlock()
	clear(p.taken)
	p.taken, p.pending = p.pending, p.taken[:0]
	if cap(p.pending) > 3*len(p.taken) { // it was made for more at once than there is now
		p.pending = nil
	}
	return p.taken
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
	defer p.closeLoop()
	defer context.AfterFunc(ctx, p.rouse)()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for ctx.Err() == nil {
		light, next := p.round(ctx)
		if p.loop != nil {
			p.loop.run(ctx, light, next)
			continue
		}
		timer.Reset(time.Until(next))
		select {
		case <-p.wake:
		case <-timer.C:
		}
	}
}

func (p *Pool) closeLoop() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.loop != nil {
		p.loop.close()
		p.loop = nil
	}
}

// rouse makes the pool look at its schedule.
func (p *Pool) rouse() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.changed()
}

// changed is rouse under the lock.
func (p *Pool) changed() {
	signal(p.wake)
	if p.loop != nil {
		p.loop.wake()
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

// round starts what is due, but for light checks, which it returns. Until next nothing more is due.
func (p *Pool) round(ctx context.Context) (light []*Task, next time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now, slept := time.Now(), p.asleep()
	if !p.planned.IsZero() && p.isLate(now, slept) {
		p.stalled = now
	}
	p.slept = slept
	for len(p.queue) > 0 && !p.queue[0].due.After(now) {
		t := heap.Pop(&p.queue).(*Task)
		if !p.grants(t, now) {
			heap.Push(&p.queue, t)
			continue
		}
		if !t.taped && p.isLight(t) {
			light = append(light, t)
			continue
		}
		u := Update{Task: t, Began: now}
		if t.taped {
			t.taped, u.Tape = false, transcript.New()
		}
		p.running.Go(func() { p.run(ctx, u) })
	}
	if len(p.pending) > 0 && now.Sub(p.told) >= p.quiet {
		p.tell(now)
	}
	p.planned = now.Add(maxSleep)
	if len(p.queue) > 0 && p.queue[0].due.Before(p.planned) {
		p.planned = p.queue[0].due
	}
	p.planned = p.epoch.Add(ceil(p.planned.Sub(p.epoch)))
	return light, p.planned
}

// run makes a check.
func (p *Pool) run(ctx context.Context, u Update) {
	made := ctx
	if u.Tape != nil {
		made = wire.Taped(ctx, u.Tape)
	}
	u.Result = u.Task.Checker.Check(made)
	u.Result.Took = time.Since(u.Began)
	p.finish(ctx, u)
}

// isLight reports whether the loop makes the check of a task. It is opened for the first one.
func (p *Pool) isLight(t *Task) bool {
	l := checker.LightOf(t.Checker)
	if l == nil {
		return false
	}
	if _, ok := l.Opening(); !ok {
		return false
	}
	if p.loop == nil {
		p.loop, _ = newLoop(p) // without one the check has a goroutine
	}
	return p.loop != nil
}

// tell says that there are results to take.
func (p *Pool) tell(now time.Time) {
	p.told = now
	signal(p.results)
}

// finish reports the result and puts the task back into the queue. A failure from a time when the process or the
// machine did not run is ignored once: the check is made again at once.
func (p *Pool) finish(ctx context.Context, u Update) {
	now := time.Now()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.put(ctx, u, now)
}

// put is finish under the lock.
func (p *Pool) put(ctx context.Context, u Update, now time.Time) {
	t, r, start := u.Task, u.Result, u.Began
	if !t.in || ctx.Err() != nil {
		return
	}
	if !r.OK && r.Cause != checker.Shortage && !t.doubted && (p.stalled.After(start) || p.isLate(now, p.asleep())) {
		t.ran, t.doubted, t.due, t.late = true, true, now, 0
		u.Stalled = true
		p.pending = append(p.pending, u)
		heap.Push(&p.queue, t)
		p.changed()
		return
	}
	told := !t.ran || !r.OK || !t.ok || t.hurried > 0
	t.due, t.late = p.next(t, r, start, now), 0
	t.hasten(now)
	t.ran, t.ok, t.doubted = true, r.OK, false
	heap.Push(&p.queue, t)
	p.pending = append(p.pending, u)
	if told {
		p.tell(now)
	}
	if t.due.Before(p.planned) {
		p.changed()
	}
}

// next is when a task is due again after a check from start to now.
func (p *Pool) next(t *Task, r checker.Result, start, now time.Time) time.Time {
	if wait := shortageRetry << min(t.shortages, maxDoublings); r.Cause == checker.Shortage && wait < t.Every {
		t.shortages++
		return now.Add(wait)
	}
	if r.Cause != checker.Shortage {
		t.shortages = 0
	}
	if !t.ran {
		return p.phase(start, t.Every)
	}
	if now.Sub(start) >= t.Every { // it took its whole interval: the next one is not late, too
		return now
	}
	last := t.due
	if t.late > 0 {
		last = t.due.Add(t.late - t.Every)
	}
	return after(last, t.Every, now)
}

// isLate reports whether the pool should have woken long before. The process's own clock stops while the machine is
// suspended, unlike the servers'.
func (p *Pool) isLate(now time.Time, slept time.Duration) bool {
	return now.Sub(p.planned) > stallAfter || slept-p.slept > stallAfter
}

// phase is when a job is made after its first check: a tenth of its interval after it at the earliest, and as much
// later than the interval at the latest. Steps of the golden ratio spread any number of jobs evenly over the grid,
// whenever they are added.
func (p *Pool) phase(first time.Time, every time.Duration) time.Time {
	_, p.spread = math.Modf(p.spread + 0.6180339887498949)
	grid := gridOf(every, p.every[every])
	step := 1 + time.Duration(p.spread*float64(every/grid))
	due := p.epoch.Add((first.Sub(p.epoch)/grid + step) * grid)
	if due.Sub(first) < every/10 {
		due = due.Add(every)
	}
	return due
}

// gridOf is the grid on which a number of checks of one interval are due.
func gridOf(every time.Duration, checks int) time.Duration {
	return max(every/time.Duration(max(gridShare, (checks+perGrid-1)/perGrid)), min(Tick, every))
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

// scheduled is what a heap is ordered by. It is told where in the heap it is, -1 for nowhere.
type scheduled interface {
	when() time.Time
	moved(index int)
}

// byTime is a heap (container/heap): the earliest first.
type byTime[T scheduled] []T

func (h byTime[T]) Len() int           { return len(h) }
func (h byTime[T]) Less(i, j int) bool { return h[i].when().Before(h[j].when()) }
func (h byTime[T]) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].moved(i)
	h[j].moved(j)
}

func (h *byTime[T]) Push(x any) {
	t := x.(T)
	t.moved(len(*h))
	*h = append(*h, t)
}

func (h *byTime[T]) Pop() any {
	old := *h
	last := old[len(old)-1]
	clear(old[len(old)-1:])
	*h = old[:len(old)-1]
	last.moved(-1)
	return last
}
