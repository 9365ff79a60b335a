package schedule

import (
	"context"
	"fmt"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"ldirectord/checker"
	"ldirectord/checker/protocol"
	"ldirectord/checker/wire"
	"ldirectord/internal/testkit"
)

type checkFunc func(context.Context) checker.Result

func (f checkFunc) Check(ctx context.Context) checker.Result { return f(ctx) }

// passing is a check that passes.
var passing = checkFunc(func(context.Context) checker.Result { return checker.Result{OK: true} })

// pass lets time pass in a bubble, and what is due be done.
func pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// until waits for some time, or until a check is cancelled.
func until(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

func task(every time.Duration, c checker.Checker) *Task {
	return &Task{Checker: c, Every: every}
}

// tasks are tasks with the same check.
func tasks(n int, every time.Duration, c checker.Checker) (all []*Task) {
	for range n {
		all = append(all, task(every, c))
	}
	return all
}

// run starts a pool in a bubble of fake time and ends it with the test.
func run(t *testing.T) *Pool {
	p := NewPool()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { p.Run(ctx); close(done) }()
	t.Cleanup(func() { cancel(); <-done })
	return p
}

func TestJobsAreSpreadOverAGridOfTheInterval(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := run(t)
		const n, every = 2000, time.Second
		begin := time.Now()
		perInstant := map[time.Duration]int{}
		check := checkFunc(func(context.Context) checker.Result {
			if since := time.Since(begin); since >= 2*every && since < 3*every {
				perInstant[since]++
			}
			return checker.Result{OK: true}
		})
		p.Set(tasks(n, every, serial(check)), nil)
		pass(3 * every)
		total, busiest := 0, 0
		for _, k := range perInstant {
			total += k
			busiest = max(busiest, k)
		}
		if total < n*99/100 || total > n*101/100 {
			t.Errorf("%d checks in one interval, want %d", total, n)
		}
		if grid := int(every / gridOf(every, n)); busiest > n/grid+3 || len(perInstant) > grid {
			t.Errorf("%d checks at one of %d instants, the mean is %d at %d", busiest, len(perInstant),
				n/grid, grid)
		}
	})
}

// serial makes one check at a time, so that a check of many servers can count without a lock.
func serial(c checker.Checker) checker.Checker {
	return checkFunc(func(ctx context.Context) checker.Result {
		mu <- struct{}{}
		defer func() { <-mu }()
		return c.Check(ctx)
	})
}

var mu = make(chan struct{}, 1)

func BenchmarkPool(b *testing.B) {
	for _, n := range []int{1000, 50000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			p := NewPool()
			p.planned = p.now() + time.Hour
			ok := checker.Result{OK: true}
			p.Set(tasks(n, time.Second, nil), nil)
			b.ReportAllocs()
			for b.Loop() {
				p.mu.Lock()
				t := p.queue[0]
				p.queue.Swap(0, len(p.queue)-1)
				p.queue.Pop()
				p.mu.Unlock()
				p.finish(Update{Task: t, Result: ok, Began: time.Now()})
				if len(p.pending) > 1000 {
					p.Take()
				}
			}
		})
	}
}

func TestTheEndOfThePoolWaitsForCancelledChecksButNotForEver(t *testing.T) {
	for name, c := range map[string]struct{ ends, waits time.Duration }{
		"one that ends":  {ends: 300 * time.Millisecond, waits: 300 * time.Millisecond},
		"one that hangs": {ends: time.Minute, waits: endTimeout},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := NewPool()
				p.Set([]*Task{task(time.Second, checkFunc(func(ctx context.Context) checker.Result {
					<-ctx.Done()
					time.Sleep(c.ends)
					return checker.Result{}
				}))}, nil)
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				start := time.Now()
				p.Run(ctx)
				if waited := time.Since(start) - time.Second; waited != c.waits {
					t.Errorf("waited %v after the end, want %v", waited, c.waits)
				}
				time.Sleep(time.Minute)
			})
		})
	}
}

func TestNewJobsStartInBatches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := run(t)
		begin := time.Now()
		batches := map[time.Duration]int{}
		check := serial(checkFunc(func(context.Context) checker.Result {
			batches[time.Since(begin)]++
			return checker.Result{OK: true}
		}))
		p.Set(tasks(2*firstPerTick+20, time.Minute, check), nil)
		pass(time.Second)
		want := map[time.Duration]int{0: firstPerTick, Tick: firstPerTick, 2 * Tick: 20}
		testkit.Same(t, batches, want, "checks at")
	})
}

func TestOverdueCountsWhatNeverBegan(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := NewPool() // which does not run
		p.Set([]*Task{task(time.Second, nil)}, nil)
		time.Sleep(5 * time.Second)
		if late := p.Overdue(); late != 5*time.Second {
			t.Errorf("%v overdue, want 5s", late)
		}
	})
}

// Results are signalled within a tick, and without a result nothing is signalled.
func TestResultsAreSignalledOnlyWhenThereAreSome(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := run(t)
		p.Set([]*Task{task(time.Second, passing)}, nil)
		begin := time.Now()
		for got := 0; got < 5; got += len(p.Take()) {
			<-p.Results()
		}
		if late := time.Since(begin) - 5*time.Second; late > Tick {
			t.Errorf("five results, one a second, came %v late", late)
		}
		p.Set(nil, nil)
		synctest.Wait()
		p.Take()
		select {
		case <-p.Results():
		default:
		}
		time.Sleep(5 * time.Second)
		select {
		case <-p.Results():
			t.Error("signalled without a task")
		default:
		}
	})
}

// Successes after successes are reported together, once in a second.
func TestSuccessesAreReportedTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := run(t)
		p.Set(tasks(5, time.Second, passing), nil)
		time.Sleep(3 * time.Second)
		reports, results := 0, 0
		for end := time.Now().Add(10 * time.Second); time.Now().Before(end); reports++ {
			<-p.Results()
			results += len(p.Take())
		}
		if reports > 12 || results < 50 {
			t.Errorf("%d reports of %d results in 10 s", reports, results)
		}
	})
}

// Room for many results is given back when a third of them come.
func TestTheRoomForResults(t *testing.T) {
	for room, want := range map[int]int{3: 3, 4: 0} {
		p := NewPool()
		p.taken, p.pending = make([]Update, 0, room), make([]Update, 1)
		p.Take()
		testkit.Equal(t, cap(p.pending), want, "after one result, room for", room)
	}
}

func TestWhatIsComputedOfTimes(t *testing.T) {
	const now = 1000 * time.Second
	p := NewPool()
	for _, row := range testkit.Table(t, "../../testdata/schedule/times.txt", 3) {
		var in [3]time.Duration
		for i, word := range strings.Fields(row[1]) {
			in[i] = testkit.Must(time.ParseDuration(word))(t)
		}
		var got any
		switch row[0] {
		case "ticks":
			got = ceil(in[0])
		case "grid":
			got = gridOf(in[0], int(in[1]))
		case "after":
			got = after(now, in[0], now+in[1]) - now
		case "late":
			p.planned, p.slept = now-in[0], time.Hour
			got = p.isLate(now, time.Hour+in[1])
		case "next", "shortage":
			tk := &Task{Every: in[0], last: failed, planned: now - in[1]}
			tk.calm()
			cause := map[string]checker.Cause{"shortage": checker.Shortage}[row[0]]
			got = p.next(tk, checker.Result{Cause: cause}, now, now+in[2]) - now
		case "phase":
			if in[2] > 0 {
				p.spread = in[2].Seconds()
			}
			got = p.phase(now+in[0], in[1]) - now
		}
		testkit.Equal(t, fmt.Sprint(got), row[2], row[0], row[1])
	}
}

func TestARoundIsLateOnlyIfThereWasOneBefore(t *testing.T) {
	const now = 1000 * time.Second
	for planned, want := range map[time.Duration]bool{0: false, now - time.Minute: true} { // 0: no round yet
		p := NewPool()
		p.epoch, p.planned, p.slept = time.Now().Add(-now), planned, p.asleep()
		p.round()
		testkit.Equal(t, p.stalled > 0, want, "planned at", planned, "late")
	}
}

// Four checks of a Perl file for one virtual service are due at the same instant, whenever their first ones were.
func TestChecksThatCostLessTogetherAreDueTogether(t *testing.T) {
	p := NewPool()
	p.Set(nil, nil)
	due := map[string]map[time.Duration]int{"a": {}, "b": {}}
	for i := range 24 {
		service := []string{"a", "b"}[i%2]
		c := testkit.Must(protocol.New(checker.Spec{Type: "external-perl", Command: "file",
			Args: strings.Join([]string{service, "80", strconv.Itoa(i), "80"}, "\x00")}, nil))(t)
		first := time.Duration(i) * 3 * Tick
		at := p.place(first, &Task{Every: 10 * time.Second, Checker: c})
		if wait := at - first; wait < time.Second || wait > 12*time.Second {
			t.Errorf("due after %v", wait)
		}
		due[service][at%(10*time.Second)]++
	}
	for service, instants := range due {
		for at, n := range instants {
			if n != companySize || len(instants) != 3 {
				t.Errorf("%s: %d at %v of %d instants", service, n, at, len(instants))
			}
		}
	}
}

// Checks with different intervals are not grouped: one would have to wait for the interval of the other.
func TestChecksWithOtherIntervalsAreNotDueTogether(t *testing.T) {
	p := NewPool()
	p.Set(nil, nil)
	c := testkit.Must(protocol.New(checker.Spec{Type: "external-perl", Command: "file"}, nil))(t)
	p.place(0, &Task{Every: 10 * time.Minute, Checker: c})
	at := p.place(0, &Task{Every: 5 * time.Second, Checker: c})
	if at > 6*time.Second {
		t.Errorf("due after %v", at)
	}
	next := p.place(at-1, &Task{Every: 5 * time.Second, Checker: c})
	testkit.Equal(t, next, at+5*time.Second, "one that was checked just before the others is due")
}

// lightly is a check that the loop may make if ok is set.
type lightly struct {
	checkFunc
	ok   bool
	ping *checker.Ping
}

func (l lightly) Opening() (checker.Opening, bool) { return checker.Opening{Ping: l.ping}, l.ok }
func (l lightly) Resume(context.Context, *wire.Conn) checker.Result {
	return checker.Result{}
}

func TestLightChecksShareALoop(t *testing.T) {
	p := NewPool()
	for _, c := range []checker.Checker{checkFunc(nil), lightly{ok: false}} {
		if _, is := p.isLight(&Task{Checker: c}); is || p.loop != nil {
			t.Errorf("%T is light", c)
		}
	}
	defer p.closeLoop()
	var shared *loop
	for i := range 2 {
		_, is := p.isLight(&Task{Checker: lightly{ok: true}})
		testkit.Equal(t, is, runtime.GOOS == "linux", "the loop makes it")
		if i == 0 {
			shared = p.loop
		}
	}
	if p.loop != shared {
		t.Error("another loop for the next one")
	}
}

// Pings begin until a check that holds a descriptor leaves no room.
func TestPingsHoldNoDescriptor(t *testing.T) {
	p := NewPool()
	p.room = 1
	defer p.closeLoop()
	all := tasks(2, time.Minute, lightly{ok: true, ping: &checker.Ping{}})
	for _, begin := range []int{2, 1} {
		p.Set(all, nil)
		light, _ := p.round()
		testkit.Equal(t, len(light), begin, "begin")
		all = append(all, tasks(2, time.Minute, lightly{ok: true})...)
	}
}
