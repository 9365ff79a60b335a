package schedule

import (
	"context"
	"io"
	"net"
	"net/netip"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ldirectord/checker"
	"ldirectord/checker/icmp"
	"ldirectord/checker/protocol"
	"ldirectord/checker/settings"
	"ldirectord/checker/wire"
	"ldirectord/internal/raw"
	"ldirectord/internal/testkit"
)

// Of many servers of all kinds that are checked at once, each gets its own result, each time.
func TestTheLoopMakesManyChecksAtOnce(t *testing.T) {
	testkit.Leaks(t)
	good := serve(t, answering(benchAnswer))
	slow := serve(t, func(c net.Conn) {
		time.Sleep(30 * time.Millisecond)
		io.WriteString(c, benchAnswer)
		io.Copy(io.Discard, c)
	})
	bad := serve(t, answering(okHead+"Content-Length: 4\r\n\r\nDOWN"))
	mute := serve(t, silence)
	pinger := icmp.NewPinger()
	t.Cleanup(func() { pinger.Close() })
	kinds := []struct {
		spec checker.Spec
		ok   bool
	}{
		{httpSpec(good), true},
		{httpSpec(slow), true},
		{httpSpec(bad), false},
		{httpSpec(mute), false},
		{httpSpec(testkit.FreeAddr(t)), false},
		{httpSpec(testkit.DeafAddr(t)), false},
		{connectSpec(good), true},
		{connectSpec(testkit.FreeAddr(t)), false},
	}
	if _, err := pinger.Ping(t.Context(), netip.MustParseAddr("127.0.0.1"), settings.Path{}, patient); err == nil {
		ping := checker.Spec{Type: "ping", Target: netip.MustParseAddrPort("127.0.0.1:1"), Timeout: patient,
			Attempts: 1}
		kinds = append(kinds, struct {
			spec checker.Spec
			ok   bool
		}{ping, true})
	}
	want := map[*Task]bool{}
	var tasks []*Task
	for range 30 {
		for _, k := range kinds {
			k.spec.NegotiateTimeout = map[bool]time.Duration{true: inTime,
				false: 200 * time.Millisecond}[k.ok]
			task := &Task{Every: 300 * time.Millisecond,
				Checker: build(t, k.spec, &protocol.Env{Pinger: pinger})}
			tasks, want[task] = append(tasks, task), k.ok
		}
	}
	p := NewPool()
	p.Set(tasks, nil)
	seen, twice := map[*Task]int{}, 0
	runUntil(t, p, func(u Update) bool {
		if seen[u.Task]++; seen[u.Task] == 2 {
			twice++
		}
		if u.Result.OK != want[u.Task] || u.Result.Took <= 0 {
			t.Errorf("%T: %+v", u.Task.Checker, u.Result)
		}
		return twice == len(want)
	})
	for task := range want {
		if seen[task] < 2 {
			t.Errorf("%+v was checked %d times", task.Checker, seen[task])
		}
	}
}

// runUntil runs a pool until enough of its results have come.
func runUntil(t *testing.T, p *Pool, take func(Update) (enough bool)) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*inTime)
	defer cancel()
	ran := make(chan struct{})
	go func() { p.Run(ctx); close(ran) }()
	for enough := false; !enough && ctx.Err() == nil; {
		select {
		case <-p.Results():
		case <-ctx.Done():
		}
		for _, u := range p.Take() {
			enough = take(u) || enough
		}
	}
	cancel()
	<-ran
}

// openLoop opens the loop of a pool without running the pool.
func openLoop(t *testing.T) (*Pool, *loop) {
	t.Helper()
	p := NewPool()
	l := testkit.Must(newLoop(p))(t)
	t.Cleanup(l.close)
	return p, l
}

// inFlight is a task whose check has begun.
func inFlight(c checker.Checker) *Task {
	return &Task{Every: time.Minute, Checker: c, in: true, slot: slot{index: -1}}
}

// An answer that came while the loop was delayed counts, even if its deadline has passed meanwhile.
func TestAnAnswerThatCameCountsAfterItsDeadline(t *testing.T) {
	s := serve(t, answering(benchAnswer))
	p, l := openLoop(t)
	for _, spec := range []checker.Spec{httpSpec(s), connectSpec(s)} {
		l.begin(inFlight(build(t, spec, nil)))
		f, has := l.fresh[0], int16(unix.POLLOUT)
		for spec.Type != "connect" && !f.sent {
			l.send(f)
			has = unix.POLLIN
		}
		if n, err := unix.Poll([]unix.PollFd{{Fd: int32(f.fd), Events: has}},
			int(patient.Milliseconds())); n != 1 {
			t.Fatal(n, err)
		}
		l.now = time.Now()
		f.due = p.at(l.now)
		l.expire()
		if u := p.Take(); len(u) != 1 || !u[0].Result.OK || len(l.ends)+len(l.fresh) != 0 {
			t.Errorf("%s: %+v", spec.Type, u)
		}
	}
}

// The loop looks at a socket a few times, soon after each other. Then the kernel watches it.
func TestALongWaitIsLeftToTheKernel(t *testing.T) {
	p, l := openLoop(t)
	l.begin(inFlight(build(t, httpSpec(serve(t, silence)), nil)))
	f := l.fresh[0]
	for look := range maxLooks {
		l.setTimer(p.now() + time.Hour)
		if len(l.fresh) != 1 || !l.soon {
			t.Fatalf("%d sockets to look at after %d looks", len(l.fresh), look)
		}
		if l.look(); l.now.Before(f.began) {
			t.Fatalf("look %d is at %v, before the check began", look, l.now)
		}
	}
	if l.setTimer(p.now() + time.Hour); len(l.fresh) > 0 || l.soon || !l.forget(f) || l.forget(f) {
		t.Errorf("%d sockets to look at, soon %v; want one that the kernel watches", len(l.fresh), l.soon)
	}
}

// unended is a check whose answer is never complete in the loop.
type unended struct {
	checker.Checker
	line int
}

func (c unended) Opening() (checker.Opening, bool) { return checker.Opening{Line: c.line}, true }

func (c unended) Resume(_ context.Context, conn *wire.Conn) checker.Result {
	if part := conn.InLoop(); part != nil {
		part.Short = true
	} else {
		conn.Close()
	}
	return checker.Result{}
}

// An answer in many pieces gets a goroutine, unless it is a line, and so does a long one.
func TestWhichAnswersGetAGoroutine(t *testing.T) {
	for _, row := range []struct{ line, size, want int }{
		{0, 1, maxPieces}, {0, maxHeld, 1}, {1, maxHeld / 8, 8}, {1, maxHeld/8 - 1, 9},
	} {
		p, l := openLoop(t)
		ends := testkit.Must(unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_NONBLOCK, 0))(t)
		defer unix.Close(ends[1])
		f := l.newFlight(&Task{Checker: unended{line: row.line}}, time.Now())
		f.fd = ends[0]
		pieces := 0
		for done := false; !done && pieces < 20; pieces++ {
			testkit.Must(unix.Write(ends[1], make([]byte, row.size)))(t)
			done = l.receive(f)
		}
		testkit.Equal(t, pieces, row.want, "pieces of", row.size, "bytes, in a line of", row.line)
		p.running.Wait()
	}
}

// The machine was suspended for less time than it has been up.
func TestHowLongTheMachineWasSuspended(t *testing.T) {
	if s := suspended(); s >= raw.Clock(unix.CLOCK_BOOTTIME) {
		t.Error(s)
	}
}

// The rules of the schedule are valid for checks in the loop too.
func TestTheLoopKeepsTheSchedule(t *testing.T) {
	for name, c := range map[string]struct {
		every    time.Duration
		treat    func(p *Pool, connection int32) // before the server closes the connection without an answer
		checks   int
		reported int
	}{
		"a failure while the process was stopped is ignored once": {
			every: time.Minute,
			treat: func(p *Pool, connection int32) {
				if connection == 1 {
					p.mu.Lock()
					p.planned = p.now() - 5*time.Second
					p.mu.Unlock()
				}
			},
			checks: 2, reported: 2, // the first result is not conclusive
		},
		"the result of a dropped job is not told": {
			every:  time.Minute,
			treat:  func(p *Pool, _ int32) { p.Set(nil, nil) },
			checks: 1, reported: 0,
		},
		"a check that takes longer than its interval is made again at once, and never twice at a time": {
			every:  50 * time.Millisecond,
			treat:  func(*Pool, int32) { time.Sleep(120 * time.Millisecond) },
			checks: 3, reported: 3,
		},
	} {
		t.Run(name, func(t *testing.T) {
			testkit.Leaks(t)
			p := NewPool()
			var connections, at atomic.Int32
			ended := make(chan struct{}, 100)
			s := serve(t, func(conn net.Conn) {
				conn.Read(make([]byte, 1024))
				if at.Add(1) > 1 {
					t.Error("a check overlaps itself")
				}
				c.treat(p, connections.Add(1))
				at.Add(-1)
				conn.(*net.TCPConn).CloseWrite()
				io.Copy(io.Discard, conn) // until the loop has noticed it
				ended <- struct{}{}
			})
			p.Set([]*Task{{Every: c.every, Checker: build(t, httpSpec(s), nil)}}, nil)
			ctx, cancel := context.WithTimeout(t.Context(), patient)
			defer cancel()
			ran := make(chan struct{})
			go func() { p.Run(ctx); close(ran) }()
			reported := func() int {
				p.mu.Lock()
				defer p.mu.Unlock()
				return len(p.pending)
			}
			checks := 0
			for (checks < c.checks || reported() < c.reported) && ctx.Err() == nil {
				select {
				case <-ended:
					checks++
				case <-p.Results():
				case <-ctx.Done():
				}
			}
			cancel()
			<-ran
			checks += len(ended)
			more := c.every < time.Minute
			if reported := reported(); checks < c.checks || reported < c.reported ||
				!more && (checks > c.checks || reported > c.reported) {
				t.Errorf("%d checks, %d told; want %d and %d", checks, reported, c.checks, c.reported)
			}
		})
	}
}

// A machine may need so long to begin checks that the next ones are due already. The loop still finishes the checks
// that it began.
func TestTheLoopContinuesChecksWhenItIsLate(t *testing.T) {
	s := serve(t, answering(benchAnswer))
	p, l := openLoop(t)
	tasks := []*Task{inFlight(build(t, httpSpec(s), nil))}
	for end := time.Now().Add(patient); len(p.pending) == 0 && time.Now().Before(end); tasks = nil {
		l.run(tasks, p.now()-time.Second)
	}
	if u := p.Take(); len(u) != 1 || !u[0].Result.OK {
		t.Errorf("%+v", u)
	}
}

// guided is a check whose success counts or not, as the test sets it.
type guided struct {
	first  checker.Checker
	counts bool
	asked  *atomic.Int32 // how often any check was asked to confirm
}

func (g *guided) First() checker.Checker          { return g.first }
func (g *guided) Way(time.Time) (*wire.Via, bool) { return nil, true }
func (g *guided) Check(context.Context) checker.Result {
	return checker.Result{Detail: "made without the loop"}
}
func (g *guided) Finish(_ context.Context, r checker.Result) checker.Result {
	r.Detail += ", finished"
	return r
}

func (g *guided) Confirm(_ context.Context, all []checker.Guided) (counts []bool) {
	g.asked.Add(1)
	for _, other := range all {
		counts = append(counts, other.(*guided).counts)
	}
	return counts
}

// Passing on the result of a connect check allocates no memory.
func TestACheckOfTheLoopAllocatesNothing(t *testing.T) {
	_, l := openLoop(t)
	task := &Task{Every: time.Hour, Checker: build(t, connectSpec(testkit.FreeAddr(t)), nil)}
	now := time.Now()
	if n := testing.AllocsPerRun(100,
		func() { l.finish(l.newFlight(task, now), checker.Result{OK: true}) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

// Checks that pass in one look are confirmed together. A check that fails, or whose success does not count, is
// finished by itself.
func TestTheLoopConfirmsWhatPasses(t *testing.T) {
	testkit.Leaks(t)
	good, bad := connectSpec(serve(t, silence)), connectSpec(testkit.FreeAddr(t))
	var asked atomic.Int32
	want := map[*Task]string{}
	var tasks []*Task
	for range 10 {
		for _, row := range []struct {
			spec   checker.Spec
			counts bool
			want   string
		}{{good, true, "connected"}, {good, false, "connected, finished"},
			{bad, true, "connect: refused, finished"}} {
			task := &Task{Every: time.Hour, Checker: &guided{build(t, row.spec, nil), row.counts, &asked}}
			tasks, want[task] = append(tasks, task), row.want
		}
	}
	p := NewPool()
	p.Set(tasks, nil)
	var all []Update
	runUntil(t, p, func(u Update) bool { all = append(all, u); return len(all) == len(tasks) })
	for _, u := range all {
		if through := u.Result.Way == checker.WayThrough; u.Result.Detail != want[u.Task] ||
			through != (want[u.Task] == "connected") {
			t.Errorf("%+v, want %s", u.Result, want[u.Task])
		}
	}
	if len(all) != len(tasks) || asked.Load() != 1 {
		t.Errorf("%d results of %d; asked %d times", len(all), len(tasks), asked.Load())
	}
}

// Answers of several looks are confirmed together, however slow the last server is: after maxLooks they wait for no
// further one.
func TestAnswersOfSeveralLooksAreConfirmedTogether(t *testing.T) {
	p, l := openLoop(t)
	g := &guided{counts: true, asked: new(atomic.Int32)}
	pass := func() {
		l.passed = append(l.passed, Update{
			Task: inFlight(g), Result: checker.Result{OK: true}})
		l.confirm()
		p.running.Wait()
	}
	expect := func(when string, asked int32, confirmed int) {
		t.Helper()
		if got := len(p.Take()); g.asked.Load() != asked || got != confirmed {
			t.Errorf("%s: asked %d times in all, %d confirmed; want %d, %d", when, g.asked.Load(), got,
				asked, confirmed)
		}
	}
	l.fresh = []*flight{{}}
	for range maxLooks {
		pass()
	}
	expect("another one is looked at", 0, 0)
	pass()
	expect("that one takes longer", 1, maxLooks+1)
	pass()
	expect("later ones begin anew", 1, 0)
	l.fresh = nil
	pass()
	expect("there are no others", 2, 2)
}

// onTheLink is a check that goes a way of its own, and needs a goroutine after its first connection.
type onTheLink struct {
	checker.Checker
	to netip.AddrPort
}

func (c onTheLink) Opening() (checker.Opening, bool) {
	via := wire.Via{Path: settings.Path{OnLink: true}, To: c.to.Addr()}
	return checker.Opening{To: c.to, Request: []byte("GET"), Timeout: patient, Via: &via}, true
}

func (c onTheLink) Resume(ctx context.Context, conn *wire.Conn) checker.Result {
	if part := conn.InLoop(); part != nil {
		part.Waits = true
		return checker.Result{}
	}
	return checker.Result{OK: wire.ViaTo(ctx, c.to) != nil}
}

// A check that the loop hands over makes its further connections, such as those of redirects, on the same way.
func TestACheckThatIsHandedOverKeepsItsWay(t *testing.T) {
	testkit.Leaks(t)
	p := run(t)
	p.Set([]*Task{{Every: time.Minute, Checker: onTheLink{to: serve(t, answering("moved"))}}}, nil)
	await(t, p.Results())
	if u := p.Take(); len(u) != 1 || !u[0].Result.OK {
		t.Errorf("%+v", u)
	}
}
