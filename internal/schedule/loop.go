package schedule

import (
	"container/heap"
	"context"
	"math"
	"os"
	"slices"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"ldirectord/checker"
	"ldirectord/checker/icmp"
	"ldirectord/checker/wire"
	"ldirectord/internal/raw"
)

const (
	maxEvents = 128
	// A nearby server answers within lookEvery. The loop therefore looks at a new socket maxLooks times before it
	// asks the kernel for events of that socket. Checks that began together share the wake-up for a look.
	lookEvery = time.Millisecond
	maxLooks  = 4
	// confirmTimeout limits the time for confirming all checks that were answered at the same time.
	confirmTimeout = 2 * time.Second
)

// loop runs light checks in one goroutine, with one epoll descriptor. That descriptor is in Go's poller, because a
// goroutine that blocks in epoll_wait(2) itself would occupy a thread, and wake another thread each time. A kernel
// timer wakes the loop, because Go's poller counts in milliseconds, and would wake twice for one of its own timers.
type loop struct {
	pool    *Pool
	epoll   int      // its descriptor
	poll    *os.File // the same, in Go's poller
	raw     syscall.RawConn
	timer   int             // its descriptor
	fresh   []*flight       // to be looked at next time
	watched []*flight       // by descriptor
	ends    byTime[*flight] // by deadline
	idle    sync.Pool       // of flights
	passed  []Update        // to be confirmed
	delayed int             // how often the confirmation was postponed
	soon    bool            // the timer is set for the next look
	now     time.Time       // the time of the last look or wake-up
	events  [maxEvents]syscall.EpollEvent
	buf     [maxHeld]byte
	pings

	mu     sync.Mutex // guards what follows
	woken  bool
	echoed []echoed
	asleep bool // the loop sleeps, and not only until the next look
}

func newLoop(p *Pool) (*loop, error) {
	fd, err := syscall.EpollCreate1(syscall.EPOLL_CLOEXEC)
	if err != nil {
		return nil, err
	}
	err = syscall.SetNonblock(fd, true)
	l := &loop{pool: p, epoll: fd, poll: os.NewFile(uintptr(fd), "epoll"), timer: -1}
	l.idle.New = func() any {
		f := &flight{}
		f.echo.Done = func(_ *icmp.Echo, took time.Duration, err error) { l.noteEcho(echoed{f, took, err}) }
		return f
	}
	if err == nil {
		l.timer, err = unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_NONBLOCK|unix.TFD_CLOEXEC)
	}
	if err == nil {
		l.raw, err = l.poll.SyscallConn()
	}
	if err == nil {
		err = l.watch(l.timer, nil)
	}
	if err != nil {
		l.close()
		return nil, err
	}
	return l, nil
}

func (l *loop) close() {
	for _, f := range l.ends {
		if f.Ping != nil {
			l.pinger.Forget(&f.echo)
			continue
		}
		syscall.Close(f.fd)
	}
	syscall.Close(l.timer)
	l.poll.Close()
}

// wake makes run return soon. It may be called from any goroutine.
func (l *loop) wake() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.woken = true
	l.poll.SetReadDeadline(wire.LongAgo)
}

// run starts checks, and continues all checks in progress, until the given time or a call of wake. If that time has
// passed already, run continues them once, so that checks end even on a machine that starts them too slowly.
func (l *loop) run(tasks []*Task, until moment) {
	for _, t := range tasks {
		l.begin(t)
	}
	for {
		l.sendEchoes()
		l.look()
		l.confirm()
		l.setTimer(until)
		n, woken := l.wait()
		l.now = time.Now()
		l.takeEchoes()
		for _, e := range l.events[:n] {
			if f := l.watched[e.Fd]; f != nil {
				l.step(f)
			} else {
				l.pool.Watches.receive(l, e.Fd)
			}
		}
		l.expire()
		if woken || l.pool.now() >= until {
			return
		}
	}
}

// setTimer sets the time at which the loop wakes. This is the time of the next look if there is one. Otherwise it is
// the given time or the next deadline, whichever is earlier.
func (l *loop) setTimer(until moment) {
	if len(l.ends) > 0 {
		until = min(until, l.ends[0].due)
	}
	now := l.pool.now()
	if l.soon = len(l.fresh) > 0 || l.pinged; l.soon {
		until = now + lookEvery
	}
	in := unix.NsecToTimespec(int64(max(until-now, 1)))
	unix.TimerfdSettime(l.timer, 0, &unix.ItimerSpec{Value: in}, nil)
}

// wait waits for events. One of the events may be the timer, which belongs to no check.
func (l *loop) wait() (n int, woken bool) {
	ask := func(uintptr) bool {
		n, _ = raw.EpollWait(l.epoll, l.events[:])
		return n != 0
	}
	if l.fallAsleep() && l.raw.Read(ask) != nil { // woken: what has arrived is handled
		ask(0)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.woken || !l.asleep {
		l.poll.SetReadDeadline(time.Time{})
	}
	woken, l.woken, l.asleep = l.woken, false, false
	return max(n, 0), woken
}

// fallAsleep reports whether the loop may sleep: no echo result waits, or the loop sleeps only until the next look.
func (l *loop) fallAsleep() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.asleep = !l.soon
	return len(l.echoed) == 0 || l.soon
}

func (l *loop) begin(t *Task) {
	now := time.Now()
	var via *wire.Via
	if g, ok := t.Checker.(checker.Guided); ok {
		if via, ok = g.Way(now); !ok {
			l.pool.running.Go(func() { l.pool.run(Update{Task: t, Began: now}) })
			return
		}
	}
	f := l.newFlight(t, now)
	if via != nil {
		f.Via = via
	}
	if f.Ping != nil {
		l.ping(f)
		return
	}
	fd, err := wire.StartTCP(f.To, f.Via)
	if err != nil {
		l.unconnected(f, err)
		return
	}
	f.fd = fd
	l.fresh = append(l.fresh, f)
}

func (l *loop) newFlight(t *Task, now time.Time) *flight {
	f := l.idle.Get().(*flight)
	check := checker.LightOf(t.Checker)
	o, _ := check.Opening()
	*f = flight{Opening: o, task: t, check: check, began: now, slot: slot{due: l.pool.at(now) + o.Timeout}, fd: -1,
		head: f.head[:0], echo: icmp.Echo{Done: f.echo.Done}}
	heap.Push(&l.ends, f)
	return f
}

// look continues all checks whose sockets the kernel does not watch.
func (l *loop) look() {
	looked := l.fresh
	l.fresh = l.fresh[:0]
	if len(looked) > 0 {
		l.now = time.Now()
	}
	for _, f := range looked {
		if l.step(f) {
			continue
		}
		if f.looks++; f.looks < maxLooks {
			l.fresh = append(l.fresh, f)
		} else if err := l.watch(f.fd, f); err != nil {
			l.unconnected(f, err)
		}
	}
	clear(looked[len(l.fresh):])
}

// watch makes the kernel report each event of a descriptor once. Events that have already occurred are reported
// immediately.
func (l *loop) watch(fd int, f *flight) error {
	const edge = 1 << 31 // EPOLLET
	for fd >= len(l.watched) {
		l.watched = append(l.watched, nil)
	}
	l.watched[fd] = f
	e := syscall.EpollEvent{Events: syscall.EPOLLIN | syscall.EPOLLOUT | edge, Fd: int32(fd)}
	return syscall.EpollCtl(l.epoll, syscall.EPOLL_CTL_ADD, fd, &e)
}

// forget makes the loop ignore events of a flight's socket, and reports whether the kernel was watching the socket.
func (l *loop) forget(f *flight) bool {
	if f.fd < 0 || f.fd >= len(l.watched) || l.watched[f.fd] != f {
		return false
	}
	l.watched[f.fd] = nil
	return true
}

func (l *loop) finish(f *flight, r checker.Result) {
	l.forget(f)
	if f.fd >= 0 {
		raw.Close(f.fd)
	}
	r.Took, r.Stages = time.Since(f.began), f.stages
	r.Conclude(r.Took)
	u := Update{Task: f.task, Result: r, Began: f.began}
	heap.Remove(&l.ends, f.index)
	f.task, f.check = nil, nil
	if f.Ping == nil || r.Cause != checker.Shortage { // otherwise its echo may still wait for room in a socket
		l.idle.Put(f)
	}
	if _, guided := u.Task.Checker.(checker.Guided); guided {
		l.finishGuided(u)
		return
	}
	l.pool.finish(u)
}

// finishGuided continues a guided check (see checker.Guided) whose first check is done. If this code were part of
// finish, the update of every check would be allocated on the heap.
func (l *loop) finishGuided(u Update) {
	if u.Result.OK {
		l.passed = append(l.passed, u)
		return
	}
	l.pool.running.Go(func() { l.pool.complete(u) })
}

// confirm finishes guided checks whose first check passed, in one goroutine, because confirming them takes a moment.
// Checks that began together are confirmed together, even if some answers come a few looks later.
func (l *loop) confirm() {
	if len(l.passed) == 0 {
		return
	}
	if len(l.fresh) > 0 && l.delayed < maxLooks {
		l.delayed++
		return
	}
	passed := l.passed
	l.passed, l.delayed = nil, 0
	l.pool.running.Go(func() { l.pool.confirm(passed) })
}

// confirm finishes guided checks whose first check passed.
func (p *Pool) confirm(passed []Update) {
	limited, cancel := context.WithTimeout(p.ctx, confirmTimeout)
	defer cancel()
	checks := make([]checker.Guided, len(passed))
	for i, u := range passed {
		checks[i] = u.Task.Checker.(checker.Guided)
	}
	counts := checks[0].Confirm(limited, checks)
	now := p.now()
	p.mu.Lock()
	defer p.mu.Unlock()
	for i, u := range passed {
		if !counts[i] {
			p.running.Go(func() { p.complete(u) })
			continue
		}
		u.Result.Way = checker.WayThrough
		p.put(u, now)
	}
}

// complete finishes a check that the loop began. For a guided check, whose first check failed or was not confirmed, it
// calls Finish first.
func (p *Pool) complete(u Update) {
	if g, guided := u.Task.Checker.(checker.Guided); guided {
		u.Result = g.Finish(p.ctx, u.Result)
	}
	u.Result.Took = time.Since(u.Began)
	p.finish(u)
}

// expire ends the checks whose deadline has passed. An answer that has arrived by now counts.
func (l *loop) expire() {
	now := l.pool.at(l.now) // when the loop woke; later deadlines wait for the next wake-up
	for len(l.ends) > 0 && l.ends[0].due <= now {
		f := l.ends[0]
		if f.Ping != nil {
			l.endOfPing(f, now)
			continue
		}
		if f.looks < maxLooks {
			l.fresh = slices.DeleteFunc(l.fresh, func(other *flight) bool { return other == f })
		}
		if l.step(f) {
			continue
		}
		if !f.sent {
			l.unconnected(f, os.ErrDeadlineExceeded)
			continue
		}
		if _, done := l.judge(f, f.head, os.ErrDeadlineExceeded); !done {
			silent := wire.ReadFault("the answer", true, f.Timeout, os.ErrDeadlineExceeded)
			l.finish(f, checker.Failed(silent))
		}
	}
}

// descriptors returns how many descriptors checks and watched connections may hold together.
func descriptors() int {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return math.MaxInt
	}
	all := int(min(limit.Cur, math.MaxInt32))
	return max(all-reserve, all/2, 1)
}

// MaxPrograms returns how many programs of checks may run at once. They take at most a quarter of the descriptors,
// because watched connections may take half, and other checks need the rest.
func MaxPrograms() int { return max(descriptors()/4/perProgram, 1) }

// suspended returns how long the machine has been suspended since boot: the difference between CLOCK_BOOTTIME and
// CLOCK_MONOTONIC (clock_gettime(2)).
func suspended() time.Duration {
	return raw.Clock(unix.CLOCK_BOOTTIME) - raw.Clock(unix.CLOCK_MONOTONIC)
}
