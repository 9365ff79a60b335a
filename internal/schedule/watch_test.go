package schedule

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"

	"ldirectord/checker"
	"ldirectord/internal/testkit"
)

// watchTest is a running pool with one server. The test sets whether its checks pass. It handles results and the ends
// of watched connections as the director does.
type watchTest struct {
	*Pool
	t      *testing.T
	task   *Task
	to     netip.AddrPort
	passes atomic.Bool
	single atomic.Bool // its checks pass only while no connection is open
	checks atomic.Int32
	asked  chan Update // results of checks that a watch asked for
	over   chan Update
}

// watch runs a pool with one check of a server, every minute, which passes.
func watch(t *testing.T, to netip.AddrPort) *watchTest {
	w := &watchTest{t: t, Pool: NewPool(), to: to, asked: make(chan Update, 1000), over: make(chan Update, 10)}
	w.passes.Store(true)
	w.task = &Task{Every: time.Minute, Checker: checkFunc(func(context.Context) checker.Result {
		w.checks.Add(1)
		return checker.Result{OK: w.passes.Load() && !(w.single.Load() && descriptorsOf(w) > 0)}
	})}
	w.Pool.Set([]*Task{w.task}, nil)
	w.set(w.watch(0)) // before the first result: the next one comes a minute later
	ctx, cancel := context.WithCancel(t.Context())
	var ended sync.WaitGroup
	ended.Go(func() { w.Run(ctx) })
	ended.Go(func() {
		for {
			select {
			case <-w.Results():
			case <-ctx.Done():
				return
			}
			for _, u := range w.Take() {
				if u.Unwatched {
					w.over <- u
					continue
				}
				if u.Asked {
					w.asked <- u
				}
				if u.Task == w.task {
					w.Watches.Attend(w.to, u.Result.OK)
				}
			}
		}
	})
	t.Cleanup(func() { cancel(); ended.Wait() })
	return w
}

func (w *watchTest) set(one Watch) { w.Watches.Set(map[netip.AddrPort]*Watch{w.to: &one}) }

func (w *watchTest) watch(silence time.Duration) Watch {
	return Watch{To: w.to, Silence: silence, Every: time.Minute, Tasks: []*Task{w.task}}
}

// check asks for a check, and waits for its result.
func (w *watchTest) check(passes bool) {
	w.t.Helper()
	w.passes.Store(passes)
	w.Watches.Ask(w.to)
	await(w.t, w.asked)
}

// closed waits until the connection is closed.
func (w *watchTest) closed() {
	w.t.Helper()
	testkit.Until(w.t, inTime, func() bool { return descriptorsOf(w) == 0 }, "the connection stays open")
}

// await waits for a value, with a time limit.
func await[T any](t *testing.T, from <-chan T) (got T) {
	t.Helper()
	select {
	case got = <-from:
	case <-time.After(inTime):
		t.Fatal("nothing came")
	}
	return got
}

// holding is a server that passes its connections to the test.
func holding(t *testing.T) (netip.AddrPort, <-chan net.Conn) {
	got := make(chan net.Conn, 1000)
	s := serve(t, func(c net.Conn) {
		got <- c
		io.Copy(io.Discard, c)
	})
	return s, got
}

// However a connection ends, one check is made at once. If it passes, a new connection is made.
func TestTheEndOfAWatchedConnectionAsksForOneCheck(t *testing.T) {
	for name, end := range map[string]func(*net.TCPConn){
		"FIN": func(c *net.TCPConn) { c.Close() },
		"RST": func(c *net.TCPConn) { c.SetLinger(0); c.Close() },
		"FIN after bytes": func(c *net.TCPConn) {
			c.Write(make([]byte, 1000))
			c.Close()
		},
	} {
		t.Run(name, func(t *testing.T) {
			testkit.Leaks(t)
			addr, conns := holding(t)
			w := watch(t, addr)
			first := await(t, conns)
			before := w.checks.Load()
			begin := time.Now()
			end(first.(*net.TCPConn))
			await(t, w.asked)
			if took := time.Since(begin); took > time.Second {
				t.Errorf("the check came after %v", took)
			}
			await(t, conns)
			testkit.Equal(t, w.checks.Load()-before, 1, "checks")
		})
	}
}

// A check that fails makes no new connection. The next one that passes does.
func TestAServerThatIsDownIsNotWatched(t *testing.T) {
	testkit.Leaks(t)
	addr, conns := holding(t)
	w := watch(t, addr)
	await(t, conns)
	w.passes.Store(false)
	w.Watches.Ask(addr)
	await(t, w.asked)
	testkit.Until(t, inTime, func() bool { return descriptorsOf(w) == 0 }, "the connection stays open")
	w.passes.Store(true)
	w.Watches.Ask(addr)
	await(t, conns)
}

// descriptorsOf counts the connections of a pool's watches.
func descriptorsOf(w *watchTest) (n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, one := range w.Watches.all {
		if one.fd >= 0 {
			n++
		}
	}
	return n
}

// A server that ends every connection at once, or sends forever, is not watched any more until the next Set. That
// is reported once.
func TestWhoCantBeWatchedIsLeftAlone(t *testing.T) {
	for name, c := range map[string]struct {
		treat func(net.Conn)
		why   string
		conns int32
	}{
		"ends at once": {func(net.Conn) {}, "it ends each connection within 5s", maxShort},
		"ends with bytes": {func(c net.Conn) { c.Write([]byte("220 hello\r\n")) },
			"it ends each connection within 5s", maxShort},
		"sends forever": {func(c net.Conn) {
			for err := error(nil); err == nil; {
				_, err = c.Write(make([]byte, 1000))
			}
		}, "it sends more than 64 KiB without being asked", 1},
	} {
		t.Run(name, func(t *testing.T) {
			testkit.Leaks(t)
			var conns atomic.Int32
			s := serve(t, func(conn net.Conn) {
				conns.Add(1)
				c.treat(conn)
			})
			w := watch(t, s)
			if u := await(t, w.over); u.Task != w.task || u.Result.Detail != c.why {
				t.Errorf("it is told %+v", u)
			}
			w.Watches.Attend(s, true)
			time.Sleep(50 * time.Millisecond)
			if n := conns.Load(); n != c.conns || len(w.over) > 0 {
				t.Errorf("%d connections, want %d; told again: %d", n, c.conns, len(w.over))
			}
			w.set(w.watch(0))
			w.Watches.Attend(s, true)
			await(t, w.over)
		})
	}
}

// A server that handles one connection at a time goes down twice, and is not watched any more.
func TestAServerOfOneConnectionIsLeftAlone(t *testing.T) {
	testkit.Leaks(t)
	addr, conns := holding(t)
	w := watch(t, addr)
	w.single.Store(true)
	for range maxBlocked - 1 {
		await(t, conns)
		w.check(true)
		w.closed()
		w.check(true)
	}
	await(t, conns)
	const why = "none of its checks passes while the connection is open"
	testkit.Equal(t, await(t, w.over).Result.Detail, why, "the reason")
}

// A server that fails soon after each recovery stays watched.
func TestAServerThatFailsSoonAfterEachRecoveryIsWatched(t *testing.T) {
	testkit.Leaks(t)
	addr, conns := holding(t)
	w := watch(t, addr)
	await(t, conns)
	for n := range 3 * maxBlocked {
		w.check(false)
		w.closed()
		w.check(true)
		await(t, conns)
		if n%maxBlocked == 0 {
			await(t, w.asked) // the check beside the second connection
		}
	}
	testkit.Equal(t, len(w.over), 0, "given up")
}

// A server that sends a greeting, or up to 64 KiB in all, stays watched.
func TestBytesAreDropped(t *testing.T) {
	testkit.Leaks(t)
	addr, conns := holding(t)
	w := watch(t, addr)
	c := await(t, conns)
	c.Write(make([]byte, maxSent))
	c.Close()
	await(t, w.asked)
	if await(t, conns); len(w.over) > 0 {
		t.Error("it is not watched any more")
	}
}

// Set keeps the connection of an unchanged watch, renews that of a changed one, and closes that of one that is gone.
func TestSetKeepsConnections(t *testing.T) {
	testkit.Leaks(t)
	addr, conns := holding(t)
	w := watch(t, addr)
	first := await(t, conns)
	ended := make(chan error, 1)
	go func() {
		_, err := first.Read(make([]byte, 1))
		ended <- err
	}()
	w.set(w.watch(0))
	w.Watches.Attend(addr, true)
	time.Sleep(50 * time.Millisecond)
	if len(conns) > 0 || len(ended) > 0 {
		t.Fatal("the connection was not kept")
	}
	w.set(w.watch(time.Second))
	await(t, ended)
	w.Watches.Attend(addr, true)
	second := await(t, conns)
	w.Watches.Set(nil)
	second.SetReadDeadline(time.Now().Add(inTime))
	if _, err := second.Read(make([]byte, 1)); err != io.EOF && !errors.Is(err, net.ErrClosed) {
		t.Errorf("the connection of no watch: %v", err)
	}
	w.Watches.Attend(addr, true)
	if len(w.asked) > 0 {
		t.Error("closing it asked for a check")
	}
}

// One connection is watched for all tasks of an address. When it ends, each of them is checked.
func TestAWatchAsksAllItsTasks(t *testing.T) {
	testkit.Leaks(t)
	addr, conns := holding(t)
	w := watch(t, addr)
	other := &Task{Every: time.Minute, Checker: w.task.Checker}
	w.Pool.Set([]*Task{w.task, other}, nil)
	both := w.watch(0)
	both.Tasks = []*Task{w.task, other}
	w.set(both)
	c := await(t, conns)
	c.Close()
	asked := []*Task{await(t, w.asked).Task, await(t, w.asked).Task}
	if !slices.Contains(asked, w.task) || !slices.Contains(asked, other) {
		t.Error("one task was asked twice")
	}
	await(t, conns)
	time.Sleep(50 * time.Millisecond)
	if len(conns) > 0 {
		t.Error("there are two connections to one address")
	}
}

// The connections to a thousand servers are made at a rate of 500 a second.
func TestNewConnectionsHaveABudget(t *testing.T) {
	testkit.Leaks(t)
	addr, _ := holding(t)
	p := NewPool()
	all := map[netip.AddrPort]*Watch{}
	for i := range 1000 {
		to := netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, byte(i >> 8), byte(i)}), addr.Port())
		all[to] = &Watch{To: to, Every: time.Minute}
	}
	p.Watches.Set(all)
	for to := range all {
		p.Watches.Attend(to, true)
		p.Watches.Attend(to, true)
	}
	testkit.Equal(t, len(p.Watches.dials), len(all), "wait for a connection")
	now := p.now()
	made := func() int { return len(all) - len(p.Watches.dials) }
	defer p.closeLoop()
	for tick := range 100 {
		at := now + time.Duration(tick)*Tick
		next := p.Watches.tend(at, at+time.Hour)
		if n := made(); n > 5*tick+6 {
			t.Fatalf("%d connections after %v", n, at-now)
		}
		if due := next - at; due <= 0 || due > dialEvery {
			t.Fatalf("the next connection is due after %v", due)
		}
	}
	if n := made(); n < 490 {
		t.Errorf("%d connections in a second", n)
	}
}

// Watched connections take half of the descriptors, and checks that are due wait for the rest. A connection takes none
// that a check holds.
func TestWatchedConnectionsLeaveRoomForChecks(t *testing.T) {
	testkit.Leaks(t)
	addr, _ := holding(t)
	p := NewPool()
	p.room = 4
	defer p.closeLoop()
	all := map[netip.AddrPort]*Watch{}
	for i := range byte(3) {
		to := netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, i + 1}), addr.Port())
		all[to] = &Watch{To: to}
	}
	p.Watches.Set(all)
	attend := func(want int) {
		t.Helper()
		for to := range all {
			p.Watches.Attend(to, true)
		}
		for len(p.Watches.dials) > 0 {
			p.Watches.tend(p.now(), time.Hour)
		}
		testkit.Equal(t, len(p.Watches.open), want, "connections")
	}
	begin := func(want int) {
		t.Helper()
		light, _ := p.round()
		testkit.Equal(t, len(light), want, "checks begin")
	}
	attend(2)
	p.Set(tasks(3, time.Minute, lightly{ok: true}), nil)
	begin(2)
	for _, w := range p.Watches.open {
		p.Watches.Attend(w.To, false)
		break
	}
	begin(1)
	attend(1)
}

// The kernel measures how long a connection is silent.
func TestSilenceIsMeasuredByTheKernel(t *testing.T) {
	testkit.Leaks(t)
	addr, conns := holding(t)
	w := watch(t, addr)
	await(t, conns)
	for silence, want := range map[time.Duration][]int{0: {0, 0}, 7 * time.Second: {1, 7, 7, 1, 7000}} {
		w.Watches.Set(nil)
		w.set(w.watch(silence))
		w.Watches.Attend(addr, true)
		await(t, conns)
		w.mu.Lock()
		fd := w.Watches.all[addr].fd
		w.mu.Unlock()
		var got []int
		for _, o := range [][2]int{{unix.SOL_SOCKET, unix.SO_KEEPALIVE}, {unix.IPPROTO_TCP, unix.TCP_KEEPIDLE},
			{unix.IPPROTO_TCP, unix.TCP_KEEPINTVL}, {unix.IPPROTO_TCP, unix.TCP_KEEPCNT},
			{unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT}} {
			value := testkit.Must(unix.GetsockoptInt(fd, o[0], o[1]))(t)
			got = append(got, value)
		}
		if got[0] != want[0] || silence > 0 && !slices.Equal(got, want) {
			t.Errorf("%v: %v, want %v", silence, got, want)
		}
	}
}

// The pause before a new connection grows up to the interval. It is short again after a connection that lasted that
// long.
func TestThePauseGrows(t *testing.T) {
	w := &watching{Watch: Watch{Every: 50 * time.Millisecond}}
	for _, step := range []struct{ lasted, pause time.Duration }{
		{0, 10 * time.Millisecond}, {20 * time.Millisecond, 20 * time.Millisecond}, {0, 40 * time.Millisecond},
		{0, 50 * time.Millisecond}, {49 * time.Millisecond, 50 * time.Millisecond},
		{50 * time.Millisecond, 10 * time.Millisecond}, {0, 20 * time.Millisecond},
	} {
		if w.grow(step.lasted); w.pause != step.pause {
			t.Errorf("after a connection of %v the pause is %v, want %v", step.lasted, w.pause, step.pause)
		}
	}
}

// A connection is too short if it lasted less than shortLife.
func TestWhichConnectionsAreTooShort(t *testing.T) {
	p := NewPool()
	for lasted, want := range map[time.Duration]int{shortLife - 1: 3, shortLife: 0} {
		w := &watching{fd: -1, short: 2, began: time.Hour - lasted}
		p.Watches.ended(w, time.Hour)
		testkit.Equal(t, w.short, want, "too short, after one of", lasted)
	}
}

// The pause before a new connection is spread over its second half. A server that goes down meanwhile gets none.
func TestPausesAreSpread(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, to := NewPool(), netip.MustParseAddrPort("127.0.0.1:80")
		p.Watches.Set(map[netip.AddrPort]*Watch{to: {To: to}})
		w := p.Watches.all[to]
		for range 100 {
			w.pause, p.planned = 10*time.Millisecond, p.now()+time.Second
			p.Watches.Attend(to, true)
			if len(p.wake) != 1 {
				t.Fatal("the pool does not wake for it")
			}
			<-p.wake
			if pause := w.due - p.now(); pause < 5*time.Millisecond || pause > 10*time.Millisecond {
				t.Fatalf("a pause of %v", pause)
			}
			p.Watches.Attend(to, false)
			testkit.Equal(t, len(p.Watches.dials), 0, "wait although they are down")
		}
	})
}

// After ten thousand connections that end together, checks are made at a rate of 500 a second.
func TestChecksThatAreAskedForHaveABudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const servers = 10_000
		s := &starts{begin: time.Now()}
		p := run(t)
		var tasks []*Task
		for range servers {
			tasks = append(tasks, task(time.Minute, s.check()))
		}
		p.Set(tasks, nil)
		pass(3 * time.Minute)
		p.Watches.Set(map[netip.AddrPort]*Watch{{}: {Tasks: tasks}})
		s.again(nil)
		p.Watches.Ask(netip.AddrPort{})
		pass(10 * time.Second)
		planned := servers / 6
		if n := len(s.at); n < planned+4000 || n > planned+5100 {
			t.Errorf("%d checks in 10 s, %d are planned", n, planned)
		}
	})
}

// BenchmarkWatches measures the daemon's memory for each watched address, without the kernel's.
func BenchmarkWatches(b *testing.B) {
	l, err := net.Listen("tcp", "0.0.0.0:0")
	if err != nil {
		b.Skip(err)
	}
	defer l.Close()
	port := l.Addr().(*net.TCPAddr).AddrPort().Port()
	const servers = 1000
	for b.Loop() {
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		p := NewPool()
		all := map[netip.AddrPort]*Watch{}
		for i := range servers {
			to := netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 1, byte(i >> 8), byte(i)}), port)
			all[to] = &Watch{To: to, Every: time.Minute, Tasks: []*Task{{}}}
		}
		p.Watches.Set(all)
		for to := range all {
			p.Watches.Attend(to, true)
		}
		for now := p.now(); len(p.Watches.dials) > 0; now += Tick {
			p.Watches.tend(now+time.Second, now+time.Hour)
		}
		runtime.GC()
		runtime.ReadMemStats(&after)
		b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/servers, "B/server")
		p.closeLoop()
	}
}
