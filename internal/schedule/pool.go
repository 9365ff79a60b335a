// Package schedule runs the checks, each at its interval. A pool knows when each check is due. A loop over all sockets
// runs light checks without a goroutine for each.
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

// Tick is the shortest time between two planned wake-ups of a pool.
const Tick = 10 * time.Millisecond

const (
	// firstPerTick is how many new tasks start in one tick. Ten thousand new servers are then checked within a
	// second, but not all at the same time.
	firstPerTick = 200
	// A wake-up costs more than a check. Checks with the same interval are therefore due on a grid, so that one
	// wake-up starts many. About perGrid checks are due at each instant of the grid, but the grid is never coarser
	// than the interval divided by gridShare, nor finer than a Tick.
	perGrid   = 50
	gridShare = 20
	// companySize is how many checks are due at one instant if they cost less together (see checker.CompanyOf).
	companySize = 4
	// maxSleep is the longest time between two wake-ups. It is also the longest delay before a success that follows
	// a success is reported.
	maxSleep = time.Second
	// stallAfter is how late the pool may wake. If it wakes later, the process was stopped or the machine
	// suspended. Failures from that time prove nothing about the servers, so the pool ignores them.
	stallAfter = 500 * time.Millisecond
	// shortageRetry is how long the pool waits before it repeats a check that failed because of a shortage on this
	// machine. The wait doubles with each further shortage, up to the interval, because a shortage may last.
	shortageRetry = 200 * time.Millisecond
	maxDoublings  = 16
	// extraEvery is the minimum time between two extra checks of any tasks, on average over a Tick, so that a
	// failing rack causes no storm of checks.
	extraEvery = 2 * time.Millisecond
	// endTimeout is how long cancelled checks may take to end.
	endTimeout = 2 * time.Second
	// reserve is how many of its descriptors the process keeps for logs, sockets, look-ups and commands.
	reserve = 128
	// perProgram is how many descriptors a running program takes: its output, and one pidfd each in package os and
	// in package subprocess. The program of an oracle check takes a few more.
	perProgram = 3
)

// Task is one check and its interval. It does not keep its Spec, which is larger than all other data of a
// server.
type Task struct {
	Every   time.Duration
	Checker checker.Checker

	// The pool's mu guards the fields below.
	slot           // in the queue; its index is negative only while its check runs
	planned moment // when it is due by its schedule; due is never later
	// the maximum time from the end of one check to the start of the next; 0: only the interval counts
	hurried   time.Duration
	in        bool // the pool has it
	last      outcome
	doubted   bool  // the last result was ignored
	granted   bool  // it has a turn among the extra checks, at due
	taped     bool  // the next check is recorded
	asked     asked // for an extra check at once
	shortages uint8 // shortages in a row after which it waited less than the interval
	silences  uint8 // replaced checks in a row that got no answer, see passOn
}

// outcome is the last result of a task; zero: none yet. An ignored result changes it only if that is the task's first
// result.
type outcome uint8

const (
	failed outcome = iota + 1
	passed
)

// asked is the progress of an extra check that a watch, or Ask, requested.
type asked uint8

const (
	wanted   asked = iota + 1 // it has not begun
	underWay                  // its result is awaited
)

// Update is the result of one check of a task.
type Update struct {
	Task   *Task
	Result checker.Result
	Began  time.Time        // when the check began
	Tape   *transcript.Tape // the conversation; nil: not recorded
	// a failure while the process or the machine was suspended: it is ignored, and the check is repeated
	Stalled bool
	Asked   bool // a watch, or Ask, asked for the check
	// Silences is how many successive checks, all replaced by the task, got no answer. If it is 0, the result is
	// the task's own.
	Silences uint8
	// no result: the address of the task is no longer watched; Detail has the reason
	Unwatched bool
}

// Pool runs checks on time. It runs each task's check at its own interval, and never twice at the same time. A task has
// a goroutine only while its check runs. A light check (such as connect, plain HTTP or ping) usually has none, because
// the goroutine of Run runs it. A Pool is safe for use by several goroutines.
type Pool struct {
	Watches Watches       // of the addresses of tasks
	wake    chan struct{} // the schedule changed
	results chan struct{} // signals results for Take
	running sync.WaitGroup
	asleep  func() time.Duration // how long the machine has been suspended since boot
	epoch   time.Time            // where all grids begin
	ctx     context.Context      // of Run and of all its checks

	mu       sync.Mutex // guards what follows
	loop     *loop      // nil before the first light check
	room     int        // how many descriptors checks and watched connections may hold
	held     int        // how many checks hold one, as an estimate, except those that run programs
	programs int        // how many checks run a program, or wait for another program to end
	maxRun   int        // how many of these run at once
	full     bool       // a check that is due waits for room
	tasks    []*Task
	queue    byTime[*Task]         // tasks without a running check
	heirs    map[*Task]*Task       // of tasks that were replaced while their check ran, see Set
	every    map[time.Duration]int // the number of tasks with each interval
	pending  []Update
	taken    []Update      // the last result of Take, whose memory is used again
	reported moment        // when results was last signalled
	quiet    time.Duration // how late a success after a success may be reported
	spread   float64       // the place of the last new task in its interval
	company  map[companyKey]company
	free     moment        // when the next extra check may begin
	planned  moment        // when the pool will wake, as the last round planned it; zero before the first
	stalled  moment        // when it last woke far too late
	slept    time.Duration // the last result of asleep
}

// moment is a time in the schedule, measured from the pool's epoch.
type moment = time.Duration

// at returns a time as a moment of the schedule.
func (p *Pool) at(t time.Time) moment { return t.Sub(p.epoch) }

func (p *Pool) now() moment { return p.at(time.Now()) }

// companyKey identifies checks that may be due together, because they have the same interval and cost less together.
type companyKey struct {
	kind  string
	every time.Duration
}

// company is an instant at which checks that cost less together are due, and how many more may be due then.
type company struct {
	due  moment
	free int
}

// NewPool returns a pool without tasks. It does nothing until Run is called.
func NewPool() *Pool {
	p := &Pool{wake: make(chan struct{}, 1), results: make(chan struct{}, 1), asleep: suspended,
		epoch: time.Now(), ctx: context.Background(), heirs: map[*Task]*Task{}, room: descriptors()}
	p.Watches = Watches{pool: p, open: map[int32]*watching{}}
	return p
}

// Set replaces the tasks of the pool. Tasks that it already has keep their schedule. New tasks are checked at once, but
// no more than firstPerTick in a Tick. All other tasks are dropped, and their results are no longer reported, with one
// exception. heirs maps dropped tasks to the new tasks that replace them. If a dropped task's check gets no answer,
// that counts for the task's heir (see passOn).
func (p *Pool) Set(tasks []*Task, heirs map[*Task]*Task) {
	p.mu.Lock()
	defer p.mu.Unlock()
	kept := make(map[*Task]bool, len(tasks))
	p.every, p.quiet, p.company = map[time.Duration]int{}, maxSleep, map[companyKey]company{}
	for _, t := range tasks {
		kept[t] = true
		p.every[t.Every]++
		p.quiet = min(p.quiet, t.Every)
	}
	for t, heir := range p.heirs {
		if next := heirs[heir]; next != nil && heir.last == 0 && heir.index >= 0 {
			p.heirs[t] = next
		}
	}
	for _, t := range p.tasks {
		if !kept[t] {
			p.drop(t, heirs[t])
		}
	}
	now, news := p.now(), 0
	for _, t := range tasks {
		if t.in {
			continue
		}
		t.in = true
		delete(p.heirs, t)
		if t.index < 0 {
			continue // the check that ran when it was dropped is still running: finish will queue the task
		}
		t.planned = now + time.Duration(news/firstPerTick)*Tick
		t.calm()
		news++
		heap.Push(&p.queue, t)
	}
	p.tasks = tasks
	p.changed()
}

// drop removes a task. The heir, if there is one, takes over the task's silences. If a check of the task is still
// running, and gets no answer, that also counts for the heir (see passOn).
func (p *Pool) drop(t, heir *Task) {
	t.in = false
	if heir != nil {
		heir.silences = t.silences
	}
	if t.index >= 0 {
		heap.Remove(&p.queue, t.index)
		t.index = 0
	} else if heir != nil {
		p.heirs[t] = heir
	}
}

// Hurry causes extra checks of a task until it is called with 0. An extra check begins the given time after the end of
// the previous check, unless the scheduled check is due earlier. All tasks together get at most 500 extra checks a
// second. A check that has to wait for its turn begins later, at the latest when the task is due by its schedule.
func (p *Pool) Hurry(t *Task, every time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	t.hurried = every
	t.advance(p)
}

// Ask requests a check of each task at once, as far as the limit of extra checks allows.
func (p *Pool) Ask(tasks ...*Task) {
	p.mu.Lock()
	defer p.mu.Unlock()
	ask(p, tasks)
}

// ask is Ask for a caller that has locked the pool.
func ask(p *Pool, tasks []*Task) {
	for _, t := range tasks {
		t.asked = wanted
		t.advance(p)
	}
}

// advance changes when a task is due, after a call of Hurry or ask, and moves the task in the pool's queue.
func (t *Task) advance(p *Pool) {
	if !t.in || t.index < 0 {
		return // if its check runs, finish will hasten it
	}
	t.hasten(p.now())
	heap.Fix(&p.queue, t.index)
	if t.due < p.planned {
		p.changed()
	}
}

// calm makes a task due by its schedule again.
func (t *Task) calm() { t.due, t.granted = t.planned, false }

// hasten makes a task due by its schedule, or earlier if it is hurried or an extra check was requested.
func (t *Task) hasten(now moment) {
	t.calm()
	switch {
	case t.asked == wanted:
		t.due = min(t.due, now)
	case t.hurried > 0:
		t.due = min(t.due, now+t.hurried)
	}
}

// grants reports whether a due task may be checked now. If it may not, grants makes it due later.
func (p *Pool) grants(t *Task, now moment) bool {
	if t.due == t.planned || t.granted {
		return true
	}
	p.free = max(p.free, now)
	if p.free < t.planned {
		t.due, t.granted = p.free, true
		p.free += extraEvery
	} else {
		t.calm()
	}
	return t.due <= now
}

// Tape makes the pool record the conversation of a task's next check in the check's Update. The check runs at its
// usual time, but not in the loop.
func (p *Pool) Tape(t *Task) {
	p.mu.Lock()
	defer p.mu.Unlock()
	t.taped = true
}

// Results is signalled when there is something to Take. A success that follows a success may be reported late, by up to
// a second or the shortest interval of a task, whichever is less.
func (p *Pool) Results() <-chan struct{} { return p.results }

// Take returns the results since the last call, oldest first. They are valid until the next call.
func (p *Pool) Take() []Update {
	p.mu.Lock()
	defer p.mu.Unlock()
	clear(p.taken)
	p.taken, p.pending = p.pending, p.taken[:0]
	if cap(p.pending) > 3*len(p.taken) { // pending was made for more results than there are now
		p.pending = nil
	}
	return p.taken
}

// Overdue returns the delay of the most overdue check. A check is overdue if it should have begun, or if it is still
// running when it should have begun again. On a machine that is fast enough the delay is less than two Ticks.
func (p *Pool) Overdue() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	now, late := p.now(), time.Duration(0)
	for _, t := range p.tasks {
		due := t.due
		if t.index < 0 {
			due += t.Every
		}
		late = max(late, now-due)
	}
	return late
}

// Run runs checks until ctx is done. It then cancels running checks and waits for them, because their programs must
// not outlive the process. It gives up on checks that do not end within endTimeout.
func (p *Pool) Run(ctx context.Context) {
	p.ctx = ctx
	defer p.waitForRunning()
	defer p.closeLoop()
	defer context.AfterFunc(ctx, p.rouse)()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for ctx.Err() == nil {
		light, next := p.round()
		if p.loop != nil {
			p.loop.run(light, next)
			continue
		}
		timer.Reset(next - p.now())
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
		p.Watches.close()
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

// changed is rouse for a caller that has locked the pool.
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

// round starts the checks that are due, except light checks, which it returns. Unless the pool is woken earlier, there
// is nothing to do before next.
func (p *Pool) round() (light []*Task, next moment) {
	p.mu.Lock()
	defer p.mu.Unlock()
	began := time.Now()
	now, slept := p.at(began), p.asleep()
	if p.planned != 0 && p.isLate(now, slept) {
		p.stalled = now
	}
	p.slept, p.full = slept, false
	for len(p.queue) > 0 && p.queue[0].due <= now {
		if p.full = p.isFull(); p.full {
			break
		}
		t := heap.Pop(&p.queue).(*Task)
		if !p.grants(t, now) {
			heap.Push(&p.queue, t)
			continue
		}
		if t.asked == wanted {
			t.asked = underWay
		}
		ping, isLight := p.isLight(t)
		if !ping { // all pings share a few sockets
			p.hold(t)
		}
		if isLight && !t.taped {
			light = append(light, t)
			continue
		}
		u := Update{Task: t, Began: began}
		if t.taped {
			t.taped, u.Tape = false, transcript.New()
		}
		p.running.Go(func() { p.run(u) })
	}
	if len(p.pending) > 0 && now-p.reported >= p.quiet {
		p.tell(now)
	}
	p.planned = p.Watches.tend(now, now+maxSleep)
	if len(p.queue) > 0 && !p.full { // release wakes a full pool
		p.planned = min(p.planned, p.queue[0].due)
	}
	p.planned = ceil(p.planned)
	return light, p.planned
}

// run runs a check that needs a goroutine.
func (p *Pool) run(u Update) {
	made := p.ctx
	if u.Tape != nil {
		made = wire.Taped(made, u.Tape)
	}
	u.Result = u.Task.Checker.Check(made)
	u.Result.Took = time.Since(u.Began)
	p.finish(u)
}

// isLight reports whether the loop runs the check of a task, and whether the check is a ping.
func (p *Pool) isLight(t *Task) (ping, ok bool) {
	l := checker.LightOf(t.Checker)
	if l == nil {
		return false, false
	}
	o, ok := l.Opening()
	return o.Ping != nil, ok && p.hasLoop() // without a loop the check has a goroutine
}

// hasLoop opens the loop when it is first needed, and reports whether there is one.
func (p *Pool) hasLoop() bool {
	if p.loop == nil {
		p.loop, _ = newLoop(p)
	}
	return p.loop != nil
}

// tell signals results.
func (p *Pool) tell(now moment) {
	p.reported = now
	signal(p.results)
}

// finish reports the result and puts the task back into the queue. If the process or the machine was suspended during
// the check, the first failure is ignored, and the check is repeated immediately.
func (p *Pool) finish(u Update) {
	now := p.now()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.put(u, now)
}

// put is finish for a caller that has locked the pool.
func (p *Pool) put(u Update, now moment) {
	t, r, start := u.Task, u.Result, p.at(u.Began)
	if p.ctx.Err() != nil {
		return
	}
	p.release(t)
	t.index = 0
	missed := !r.OK && r.Cause != checker.Shortage && (p.stalled > start || p.isLate(now, p.asleep()))
	if t.silences = 0; !t.in {
		if r.Cause == checker.Timeout && !missed {
			passOn(p, u, now)
		}
		t.last = max(t.last, failed)
		delete(p.heirs, t)
		return
	}
	reported, due := false, p.next(t, r, start, now)
	if u.Stalled = missed && !t.doubted; u.Stalled {
		t.due, t.planned = now, max(now, due)
	} else {
		if u.Asked = t.asked == underWay; u.Asked {
			t.asked = 0
		}
		reported = !r.OK || t.last != passed || t.hurried > 0 || u.Asked
		if t.planned, t.last = due, failed; r.OK {
			t.last = passed
		}
		t.hasten(now)
	}
	t.last, t.doubted = max(t.last, failed), u.Stalled
	heap.Push(&p.queue, t)
	p.pending = append(p.pending, u)
	if reported {
		p.tell(now)
	}
	if u.Stalled || t.due < p.planned {
		p.changed()
	}
}

// isFull reports whether checks and watched connections hold all descriptors. A program that waits for another one to
// end holds none.
func (p *Pool) isFull() bool {
	return p.held+perProgram*min(p.programs, p.maxRun)+len(p.Watches.open) >= p.room
}

// hold notes that a check holds a descriptor.
func (p *Pool) hold(t *Task) {
	if n := checker.ProgramsOf(t.Checker); n > 0 {
		t.index, p.maxRun = isProgram, n
		p.programs++
		return
	}
	t.index = isHeld
	p.held++
}

// release gives back the descriptor of a check that has ended, perhaps to one that waits.
func (p *Pool) release(t *Task) {
	switch t.index {
	case isHeld:
		p.held--
	case isProgram:
		p.programs--
	default:
		return
	}
	if p.full {
		p.changed()
	}
}

// passOn handles a check that was replaced while it ran, and got no answer in time. The silence counts as a result of
// the new check, unless that check has a result already. If the silence did not count, a server that hangs would go
// unnoticed as long as each reload changed its check.
func passOn(p *Pool, u Update, now moment) {
	t := u.Task
	for !t.in {
		if t = p.heirs[t]; t == nil || t.last != 0 {
			return
		}
	}
	t.silences++
	u.Task, u.Silences = t, t.silences
	p.pending = append(p.pending, u)
	p.tell(now)
}

// next returns the time at which a task is due again, after a check that ran from start to now.
func (p *Pool) next(t *Task, r checker.Result, start, now moment) moment {
	if wait := shortageRetry << min(t.shortages, maxDoublings); r.Cause == checker.Shortage && wait < t.Every {
		t.shortages++
		return now + wait
	}
	if r.Cause != checker.Shortage {
		t.shortages = 0
	}
	if t.last == 0 {
		return p.place(start, t)
	}
	if now-start >= t.Every { // the check took its whole interval; the next one must not be late too
		return now
	}
	last := t.planned
	if t.due < t.planned {
		last -= t.Every
	}
	return after(last, t.Every, now)
}

// isLate reports whether the pool has woken much too late. While the machine is suspended, the process's clock stops,
// but the servers keep running.
func (p *Pool) isLate(now moment, slept time.Duration) bool {
	return now-p.planned > stallAfter || slept-p.slept > stallAfter
}

// place returns the time of a task's second check: that of the task's company if it has one, otherwise a phase of its
// own.
func (p *Pool) place(first moment, t *Task) moment {
	key := companyKey{checker.CompanyOf(t.Checker), t.Every}
	with := p.company[key]
	if with.free == 0 {
		with = company{p.phase(first, t.Every), companySize}
	}
	if key.kind != "" {
		with.free--
		p.company[key] = with
	}
	return after(with.due-t.Every, t.Every, first+t.Every/10)
}

// phase returns the time of a task's second check: 0.1 to 1.1 intervals after the first. Steps of the golden ratio
// spread any number of tasks evenly over the grid, whenever they are added.
func (p *Pool) phase(first moment, every time.Duration) moment {
	_, p.spread = math.Modf(p.spread + 0.6180339887498949)
	grid := gridOf(every, p.every[every])
	step := 1 + time.Duration(p.spread*float64(every/grid))
	due := (first/grid + step) * grid
	if due-first < every/10 {
		due += every
	}
	return due
}

// gridOf returns the time between two instants of the grid for a number of checks with the same interval.
func gridOf(every time.Duration, checks int) time.Duration {
	return max(every/time.Duration(max(gridShare, (checks+perGrid-1)/perGrid)), min(Tick, every))
}

// after returns the time at which a task is next due: a whole number of intervals after it was last due.
func after(due moment, every time.Duration, now moment) moment {
	due += every
	late := max(now-due, 0)
	return due + (late+every-1)/every*every
}

// ceil rounds a duration up to whole ticks.
func ceil(d time.Duration) time.Duration { return (d + Tick - 1) / Tick * Tick }

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// While a task's check runs and counts among the pool's held or programs, the task's index is one of these.
const (
	isHeld    = -2
	isProgram = -3
)

// slot is the time at which something is due, and its index in a heap, negative if it is in none.
type slot struct {
	due   moment
	index int
}

func (s *slot) at() *slot { return s }

// scheduled is an element of a heap, ordered by its time.
type scheduled interface{ at() *slot }

// byTime is a heap (container/heap) with the earliest element first.
type byTime[T scheduled] []T

func (h byTime[T]) Len() int           { return len(h) }
func (h byTime[T]) Less(i, j int) bool { return h[i].at().due < h[j].at().due }
func (h byTime[T]) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].at().index, h[j].at().index = i, j
}

func (h *byTime[T]) Push(x any) {
	t := x.(T)
	t.at().index = len(*h)
	*h = append(*h, t)
}

func (h *byTime[T]) Pop() any {
	old := *h
	last := old[len(old)-1]
	clear(old[len(old)-1:])
	*h = old[:len(old)-1]
	last.at().index = -1
	return last
}
