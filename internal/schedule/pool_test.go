package schedule

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
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

// run starts a pool in a bubble of fake time and ends it with the test.
func run(t *testing.T) *Pool {
	p := NewPool()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { p.Run(ctx); close(done) }()
	t.Cleanup(func() { cancel(); <-done })
	return p
}

func TestNewJobIsCheckedAtOnceAndThenEachInterval(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := run(t)
		begin := time.Now()
		var at []time.Duration
		check := checkFunc(func(context.Context) checker.Result {
			at = append(at, time.Since(begin))
			return checker.Result{OK: true}
		})
		p.Set([]*Task{task(time.Second, check)}, nil)
		pass(4500 * time.Millisecond)
		if len(at) < 5 || at[0] != 0 {
			t.Fatalf("checks at %v, want the first at 0 and one a second", at)
		}
		if at[1] < 100*time.Millisecond || at[1] > time.Second+Tick {
			t.Errorf("second check at %v, want within the first interval", at[1])
		}
		for i := 2; i < len(at); i++ {
			if d := at[i] - at[i-1]; d < time.Second-Tick || d > time.Second+Tick {
				t.Errorf("check %d came %v after the one before, want 1s", i, d)
			}
		}
	})
}

// A check that is asked for is made at once, and its result is marked so. A task that the pool does not have is not
// checked.
func TestACheckThatIsAskedForIsMadeAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := run(t)
		one, other := task(time.Minute, passing), task(time.Minute, passing)
		p.Set([]*Task{one}, nil)
		<-p.Results()
		p.Take()
		time.Sleep(2 * time.Second)
		began := time.Now()
		p.Ask(one, other)
		<-p.Results()
		all := p.Take()
		if len(all) != 1 || all[0].Task != one || !all[0].Asked || time.Since(began) > Tick {
			t.Errorf("after %v: %+v", time.Since(began), all)
		}
		time.Sleep(2 * time.Second)
		if all := p.Take(); len(all) > 0 {
			t.Errorf("once more: %+v", all)
		}
	})
}

func TestSlowChecksDelayNobodyAndNeverOverlap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := run(t)
		var flying, quick atomic.Int32
		slow := checkFunc(func(ctx context.Context) checker.Result {
			if flying.Add(1) > 1 {
				t.Error("a check overlaps itself")
			}
			until(ctx, 3500*time.Millisecond)
			flying.Add(-1)
			return checker.Result{}
		})
		ok := checkFunc(func(context.Context) checker.Result { quick.Add(1); return checker.Result{OK: true} })
		p.Set([]*Task{task(time.Second, slow), task(time.Second, ok)}, nil)
		pass(10 * time.Second)
		if n := quick.Load(); n < 10 {
			t.Errorf("the quick server was checked %d times in 10 s", n)
		}
	})
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
		var tasks []*Task
		for range n {
			tasks = append(tasks, task(every, serial(check)))
		}
		p.Set(tasks, nil)
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

func TestSetKeepsKnownJobsAndForgetsOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := run(t)
		counts := [3]atomic.Int32{}
		check := func(i int) checker.Checker {
			return checkFunc(func(context.Context) checker.Result {
				counts[i].Add(1)
				return checker.Result{OK: true}
			})
		}
		a, b, c := task(time.Second, check(0)), task(time.Second, check(1)), task(time.Second, check(2))
		p.Set([]*Task{a, b}, nil)
		pass(Tick)
		p.Take()
		p.Set([]*Task{b, c}, nil)
		pass(Tick)
		if n := counts[1].Load(); n != 1 {
			t.Errorf("a job that stays was checked %d times at once, want it to keep its schedule", n)
		}
		for _, u := range p.Take() {
			if u.Task != c {
				t.Errorf("result of the task at %p, want only the new one's", u.Task)
			}
		}
		pass(3 * time.Second)
		testkit.Equal(t, counts[0].Load(), 1, "a dropped job was checked", "times")
	})
}

func TestResultOfADroppedJobIsNotTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := run(t)
		p.Set([]*Task{task(time.Second, checkFunc(func(context.Context) checker.Result {
			time.Sleep(time.Second)
			return checker.Result{}
		}))}, nil)
		time.Sleep(Tick)
		p.Set(nil, nil)
		pass(2 * time.Second)
		if u := p.Take(); len(u) != 0 {
			t.Errorf("told %v", u)
		}
	})
}

func TestOwnShortageIsRepeatedSoon(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := run(t)
		var n atomic.Int32
		p.Set([]*Task{task(time.Minute, checkFunc(func(context.Context) checker.Result {
			if n.Add(1) < 3 {
				return checker.Result{Cause: checker.Shortage}
			}
			return checker.Result{OK: true}
		}))}, nil)
		pass(time.Second)
		if n.Load() != 3 {
			t.Errorf("%d checks in the first second, want two repeats", n.Load())
		}
		u := p.Take()
		if len(u) != 3 || u[0].Result.Cause != checker.Shortage || u[2].Result.Cause == checker.Shortage {
			t.Errorf("told %+v", u)
		}
	})
}

// After a shortage a check is repeated soon, then less and less often down to once in the interval: the shortage may
// last, as where pings are forbidden for good.
func TestAShortageThatLastsIsRepeatedAtTheInterval(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, begin := run(t), time.Now()
		var at []time.Duration
		p.Set([]*Task{task(3*time.Second, checkFunc(func(context.Context) checker.Result {
			at = append(at, time.Since(begin))
			if len(at) != 9 {
				return checker.Result{Cause: checker.Shortage}
			}
			return checker.Result{OK: true}
		}))}, nil)
		pass(22 * time.Second)
		const ms = time.Millisecond
		want := []time.Duration{0, 200 * ms, 600 * ms, 1400 * ms, 3000 * ms, 6000 * ms, 9000 * ms, 12000 * ms,
			15000 * ms, 18000 * ms, 18200 * ms, 18600 * ms, 19400 * ms, 21000 * ms}
		if !slices.EqualFunc(at, want, func(a, b time.Duration) bool { return (a - b).Abs() < 2*Tick }) {
			t.Errorf("checked at\n%v\nwant\n%v", at, want)
		}
	})
}

// A process stopped by SIGSTOP wakes with every deadline passed. The bubble's clock can't stop a
// process, so the pool's own record of when it meant to wake is set back instead.
func TestFailureAcrossASleepIsNotBelievedOnce(t *testing.T) {
	for name, sleep := range map[string]func(*Pool){
		"the process was stopped": func(p *Pool) { p.planned = p.now() - 5*time.Second },
		"the machine was suspended": func(p *Pool) {
			p.asleep = func() time.Duration {
				return p.slept +
					5*time.Second
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := run(t)
				var n atomic.Int32
				p.Set([]*Task{task(time.Minute, checkFunc(func(context.Context) checker.Result {
					if n.Add(1) == 1 {
						p.mu.Lock()
						sleep(p)
						p.mu.Unlock()
						return checker.Result{}
					}
					return checker.Result{OK: true}
				}))}, nil)
				pass(time.Second)
				u := p.Take()
				if len(u) != 2 || !u[0].Stalled || u[0].Result.OK || u[1].Stalled || !u[1].Result.OK {
					t.Errorf("told %+v, want a result that says nothing, then the second one", u)
				}
			})
		})
	}
}

func TestAfterKeepsThePhase(t *testing.T) {
	const due = 100 * time.Second
	for late, want := range map[time.Duration]float64{0: 101, 999 * time.Millisecond: 101,
		3500 * time.Millisecond: 104, 5 * time.Second: 105} {
		if got := after(due, time.Second, due+late); got.Seconds() != want {
			t.Errorf("ended %v late: next at %v, want %v", late, got.Seconds(), want)
		}
	}
}

func BenchmarkPool(b *testing.B) {
	for _, n := range []int{1000, 50000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			p := NewPool()
			p.planned = p.now() + time.Hour
			ok := checker.Result{OK: true}
			var tasks []*Task
			for range n {
				tasks = append(tasks, task(time.Second, nil))
			}
			p.Set(tasks, nil)
			b.ReportAllocs()
			for b.Loop() {
				p.mu.Lock()
				t := p.queue[0]
				p.queue.Swap(0, len(p.queue)-1)
				p.queue.Pop()
				p.mu.Unlock()
				p.finish(context.Background(), Update{Task: t, Result: ok, Began: time.Now()})
				if len(p.pending) > 1000 {
					p.Take()
				}
			}
		})
	}
}

func TestACheckThatTakesItsWholeIntervalIsMadeAgainAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := run(t)
		begin := time.Now()
		var ends []time.Duration
		p.Set([]*Task{task(time.Second, checkFunc(func(ctx context.Context) checker.Result {
			until(ctx, time.Second)
			ends = append(ends, time.Since(begin))
			return checker.Result{}
		}))}, nil)
		pass(6 * time.Second)
		for i := 2; i < len(ends); i++ {
			if gap := ends[i] - ends[i-1]; gap > time.Second+2*Tick {
				t.Errorf("failures at %v: %v apart, want one a second", ends, gap)
			}
		}
	})
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

func TestOverdueIsTheAgeOfTheLatestCheck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := run(t)
		end := make(chan struct{})
		hangs := checkFunc(func(context.Context) checker.Result { <-end; return checker.Result{OK: true} })
		p.Set([]*Task{task(time.Second, passing), task(2*time.Second, hangs)}, nil)
		pass(1900 * time.Millisecond)
		if late := p.Overdue(); late > 2*Tick {
			t.Errorf("%v overdue before anything is late", late)
		}
		pass(5100 * time.Millisecond)
		if late := p.Overdue(); late != 5*time.Second {
			t.Errorf("%v overdue, want 5s: a check that began 7 s ago, to be made every 2 s", late)
		}
		close(end)
		pass(3 * time.Second)
		if late := p.Overdue(); late > 2*Tick {
			t.Errorf("%v overdue after it ended", late)
		}
	})
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
		var tasks []*Task
		for range 2*firstPerTick + 20 {
			tasks = append(tasks, task(time.Minute, check))
		}
		p.Set(tasks, nil)
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
		var tasks []*Task
		for range 5 {
			tasks = append(tasks, task(time.Second, passing))
		}
		p.Set(tasks, nil)
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

func TestCheckThatTakesExactlyItsIntervalIsDueAtItsEnd(t *testing.T) {
	p := NewPool()
	const begin = 100 * time.Second
	for took, want := range map[time.Duration]time.Duration{
		time.Second - 1: begin + time.Second + 500*time.Millisecond,
		time.Second:     begin + time.Second,
		time.Second + 1: begin + time.Second + 1,
	} {
		tk := &Task{Every: time.Second, last: failed, planned: begin - 500*time.Millisecond}
		tk.calm()
		if got := p.next(tk, checker.Result{OK: true}, begin, begin+took); got != want {
			t.Errorf("took %v: due after %v, want %v", took, got-begin, want-begin)
		}
	}
	tk := &Task{Every: shortageRetry, last: failed, planned: begin - shortageRetry/2}
	tk.calm()
	testkit.Equal(t, p.next(tk, checker.Result{Cause: checker.Shortage}, begin, begin), begin+shortageRetry/2,
		"with an interval as short as the wait after a shortage, due")
}

func TestThePoolIsLateAfterItsLimitOnly(t *testing.T) {
	const now = 1000 * time.Second
	for name, c := range map[string]struct {
		woke, suspended time.Duration // the delay of the last wake-up; the time asleep since the last round
		want            bool
	}{
		"in time":                   {0, 0, false},
		"at the limit":              {stallAfter, stallAfter, false},
		"the process was stopped":   {stallAfter + 1, 0, true},
		"the machine was suspended": {0, stallAfter + 1, true},
	} {
		p := NewPool()
		p.planned, p.slept = now-c.woke, time.Hour
		p.asleep = func() time.Duration { return time.Hour + c.suspended }
		testkit.Equal(t, p.isLate(now, p.asleep()), c.want, name, "late")
	}
	for planned, want := range map[time.Duration]bool{0: false, now - time.Minute: true} { // 0: no round yet
		p := NewPool()
		p.epoch, p.planned, p.slept = time.Now().Add(-now), planned, p.asleep()
		p.round(t.Context())
		testkit.Equal(t, p.stalled > 0, want, "planned at", planned, "late")
	}
}

func TestPhasesFollowTheGoldenRatioOnAGrid(t *testing.T) {
	p := NewPool()
	const first = 20 * time.Second
	for i, want := range []time.Duration{6500 * time.Millisecond, 2500 * time.Millisecond, 9 * time.Second} {
		testkit.Equal(t, p.phase(first, 10*time.Second)-first, want, "phase", i)
	}
	p.spread = 1 - 0.6180339887498949 // half a second after the first check would be too soon
	if got := p.phase(first, 10*time.Second) - first; got != 10*time.Second+500*time.Millisecond {
		t.Errorf("phase %v, want 10.5s", got)
	}
	testkit.Equal(t, p.phase(first+1, 10*time.Second)-first, 6500*time.Millisecond, "phase",
		"of a first check that was not on the grid")
	p.spread = 1 - 0.6180339887498949
	testkit.Equal(t, p.phase(first, 10*Tick)-first, Tick, "phase", "a tenth of the interval is not too soon")
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

func TestTheGridHasFewChecksAtAnInstantAndIsFine(t *testing.T) {
	for _, c := range []struct {
		every  time.Duration
		checks int
		want   time.Duration
	}{
		{time.Second, 1, 50 * time.Millisecond},
		{time.Second, 1000, 50 * time.Millisecond},
		{time.Second, 2000, 25 * time.Millisecond},
		{time.Second, 50000, Tick},
		{5 * time.Second, 100, 250 * time.Millisecond},
		{3 * time.Second, 10000, 15 * time.Millisecond},
		{100 * time.Millisecond, 1, Tick},
		{time.Millisecond, 1, time.Millisecond},
	} {
		testkit.Equal(t, gridOf(c.every, c.checks), c.want, c.checks, "checks every", c.every, "grid")
	}
}

func TestCeilRoundsUpToWholeTicks(t *testing.T) {
	for d, want := range map[time.Duration]time.Duration{0: 0, 1: Tick, Tick - 1: Tick, Tick: Tick,
		Tick + 1: 2 * Tick} {
		testkit.Equal(t, ceil(d), want, d)
	}
}

// lightly is a check that the loop may make if ok is set.
type lightly struct {
	checkFunc
	ok bool
}

func (l lightly) Opening() (checker.Opening, bool) { return checker.Opening{}, l.ok }
func (l lightly) Resume(context.Context, *wire.Conn) checker.Result {
	return checker.Result{}
}

func TestLightChecksShareALoop(t *testing.T) {
	p := NewPool()
	for _, c := range []checker.Checker{checkFunc(nil), lightly{ok: false}} {
		if p.isLight(&Task{Checker: c}) || p.loop != nil {
			t.Errorf("%T is light", c)
		}
	}
	defer p.closeLoop()
	var shared *loop
	for i := range 2 {
		testkit.Equal(t, p.isLight(&Task{Checker: lightly{ok: true}}), runtime.GOOS == "linux",
			"the loop makes it")
		if i == 0 {
			shared = p.loop
		}
	}
	if p.loop != shared {
		t.Error("another loop for the next one")
	}
}

// The silence of a check that was replaced twice counts for the last one, but not if the first heir was answered.
func TestASilenceCountsForTheHeirOfAnHeir(t *testing.T) {
	for answered, want := range map[bool]uint8{false: 1, true: 0} {
		synctest.Test(t, func(t *testing.T) {
			p := run(t)
			silent := checkFunc(func(context.Context) checker.Result {
				time.Sleep(5 * time.Second)
				return checker.Result{Cause: checker.Timeout}
			})
			first, second, third := task(time.Minute, silent), task(time.Minute, passing), task(time.Minute,
				silent)
			p.Set([]*Task{first}, nil)
			time.Sleep(time.Second)
			p.Set([]*Task{second}, map[*Task]*Task{first: second})
			if answered {
				synctest.Wait()
			}
			p.Set([]*Task{third}, map[*Task]*Task{second: third})
			time.Sleep(4500 * time.Millisecond)
			var silences uint8
			for _, u := range p.Take() {
				if u.Task == third {
					silences = u.Silences
				}
			}
			if silences != want {
				t.Errorf("answered %v: %d silences, want %d", answered, silences, want)
			}
		})
	}
}
