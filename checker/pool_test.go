package checker

import (
	"context"
	"fmt"
	"net/netip"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

type checkFunc func(context.Context) Result

func (f checkFunc) Check(ctx context.Context) Result { return f(ctx) }

func task(i int, every time.Duration, c Checker) *Task {
	return &Task{Checker: c, Job: Job{Every: every, Spec: Spec{Type: "connect", Target: netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}), 80)}}}
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
		check := checkFunc(func(context.Context) Result { at = append(at, time.Since(begin)); return Result{OK: true} })
		p.Set([]*Task{task(1, time.Second, check)})
		time.Sleep(4500 * time.Millisecond)
		synctest.Wait()
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

func TestSlowChecksDelayNobodyAndNeverOverlap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := run(t)
		var flying, quick atomic.Int32
		slow := checkFunc(func(ctx context.Context) Result {
			if flying.Add(1) > 1 {
				t.Error("a check overlaps itself")
			}
			select {
			case <-ctx.Done():
			case <-time.After(3500 * time.Millisecond):
			}
			flying.Add(-1)
			return Result{}
		})
		ok := checkFunc(func(context.Context) Result { quick.Add(1); return Result{OK: true} })
		p.Set([]*Task{task(1, time.Second, slow), task(2, time.Second, ok)})
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if n := quick.Load(); n < 10 {
			t.Errorf("the quick server was checked %d times in 10 s", n)
		}
	})
}

func TestJobsAreSpreadOverTheInterval(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := run(t)
		const n, every = 1000, time.Second
		begin := time.Now()
		perTick := map[int]int{}
		check := checkFunc(func(context.Context) Result {
			if since := time.Since(begin); since >= 2*every && since < 3*every {
				perTick[int(since/Tick)]++
			}
			return Result{OK: true}
		})
		var tasks []*Task
		for i := range n {
			tasks = append(tasks, task(i, every, serial(check)))
		}
		p.Set(tasks)
		time.Sleep(3 * every)
		synctest.Wait()
		total, most := 0, 0
		for _, k := range perTick {
			total += k
			most = max(most, k)
		}
		if total < n*99/100 || total > n*101/100 {
			t.Errorf("%d checks in one interval, want %d", total, n)
		}
		if most > 3*n/100 {
			t.Errorf("%d checks in one tick, the mean is %d", most, n/100)
		}
	})
}

// serial makes a check of many servers safe to count in.
func serial(c Checker) Checker {
	return checkFunc(func(ctx context.Context) Result { mu <- struct{}{}; defer func() { <-mu }(); return c.Check(ctx) })
}

var mu = make(chan struct{}, 1)

func TestSetKeepsKnownJobsAndForgetsOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := run(t)
		counts := [3]atomic.Int32{}
		check := func(i int) Checker {
			return checkFunc(func(context.Context) Result { counts[i].Add(1); return Result{OK: true} })
		}
		a, b, c := task(0, time.Second, check(0)), task(1, time.Second, check(1)), task(2, time.Second, check(2))
		p.Set([]*Task{a, b})
		time.Sleep(Tick)
		synctest.Wait()
		p.Take()
		p.Set([]*Task{b, c})
		time.Sleep(Tick)
		synctest.Wait()
		if n := counts[1].Load(); n != 1 {
			t.Errorf("a job that stays was checked %d times at once, want it to keep its schedule", n)
		}
		for _, u := range p.Take() {
			if u.Task != c {
				t.Errorf("result of %v, want only the new one's", u.Task.Spec.Target)
			}
		}
		time.Sleep(3 * time.Second)
		synctest.Wait()
		if n := counts[0].Load(); n != 1 {
			t.Errorf("a dropped job was checked %d times", n)
		}
	})
}

func TestResultOfADroppedJobIsNotTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := run(t)
		p.Set([]*Task{task(1, time.Second, checkFunc(func(context.Context) Result {
			time.Sleep(time.Second)
			return Result{}
		}))})
		time.Sleep(Tick)
		p.Set(nil)
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if u := p.Take(); len(u) != 0 {
			t.Errorf("told %v", u)
		}
	})
}

func TestOwnShortageIsRepeatedSoon(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := run(t)
		var n atomic.Int32
		p.Set([]*Task{task(1, time.Minute, checkFunc(func(context.Context) Result {
			return Result{Local: n.Add(1) < 3, OK: n.Load() >= 3}
		}))})
		time.Sleep(time.Second)
		synctest.Wait()
		if n.Load() != 3 {
			t.Errorf("%d checks in the first second, want two repeats", n.Load())
		}
		u := p.Take()
		if len(u) != 3 || !u[0].Result.Local || u[2].Result.Local {
			t.Errorf("told %+v", u)
		}
	})
}

// A process stopped by SIGSTOP wakes with every deadline passed. The bubble's clock can't stop a
// process, so the pool's own record of when it meant to wake is set back instead.
func TestFailureAcrossASleepIsNotBelievedOnce(t *testing.T) {
	for name, sleep := range map[string]func(*Pool){
		"the process was stopped":   func(p *Pool) { p.planned = time.Now().Add(-5 * time.Second) },
		"the machine was suspended": func(p *Pool) { p.asleep = func() time.Duration { return p.slept + 5*time.Second } },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := run(t)
				var n atomic.Int32
				p.Set([]*Task{task(1, time.Minute, checkFunc(func(context.Context) Result {
					if n.Add(1) == 1 {
						p.mu.Lock()
						sleep(p)
						p.mu.Unlock()
						return Result{}
					}
					return Result{OK: true}
				}))})
				time.Sleep(time.Second)
				synctest.Wait()
				u := p.Take()
				if len(u) != 1 || !u[0].Result.OK {
					t.Errorf("told %+v, want only the second result", u)
				}
			})
		})
	}
}

func TestAfterKeepsThePhase(t *testing.T) {
	due := time.Unix(100, 0)
	for late, want := range map[time.Duration]int64{0: 101, 999 * time.Millisecond: 101, 3500 * time.Millisecond: 104, 5 * time.Second: 105} {
		if got := after(due, time.Second, due.Add(late)); got.Unix() != want {
			t.Errorf("ended %v late: next at %d, want %d", late, got.Unix(), want)
		}
	}
}

func BenchmarkPool(b *testing.B) {
	for _, n := range []int{1000, 50000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			p := NewPool()
			p.planned = time.Now().Add(time.Hour)
			ok := Result{OK: true}
			var tasks []*Task
			for i := range n {
				tasks = append(tasks, task(i, time.Second, nil))
			}
			p.Set(tasks)
			b.ReportAllocs()
			for b.Loop() {
				p.mu.Lock()
				t := p.queue[0]
				p.queue.Swap(0, len(p.queue)-1)
				p.queue.Pop()
				p.mu.Unlock()
				p.finish(context.Background(), t, ok, time.Now())
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
		p.Set([]*Task{task(1, time.Second, checkFunc(func(ctx context.Context) Result {
			select {
			case <-ctx.Done():
			case <-time.After(time.Second):
			}
			ends = append(ends, time.Since(begin))
			return Result{}
		}))})
		time.Sleep(6 * time.Second)
		synctest.Wait()
		for i := 2; i < len(ends); i++ {
			if gap := ends[i] - ends[i-1]; gap > time.Second+2*Tick {
				t.Errorf("failures at %v: %v apart, want one a second", ends, gap)
			}
		}
	})
}

func TestTheEndOfThePoolWaitsForCancelledChecksButNotForEver(t *testing.T) {
	for name, c := range map[string]struct{ lands, waits time.Duration }{
		"one that ends":   {lands: 300 * time.Millisecond, waits: 300 * time.Millisecond},
		"one that hangs ": {lands: time.Minute, waits: landWait},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := NewPool()
				p.Set([]*Task{task(1, time.Second, checkFunc(func(ctx context.Context) Result {
					<-ctx.Done()
					time.Sleep(c.lands)
					return Result{}
				}))})
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

func TestOverdueIsTheAgeOfTheMostBelatedCheck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := run(t)
		end := make(chan struct{})
		hangs := checkFunc(func(context.Context) Result { <-end; return Result{OK: true} })
		fine := checkFunc(func(context.Context) Result { return Result{OK: true} })
		p.Set([]*Task{task(1, time.Second, fine), task(2, 2*time.Second, hangs)})
		time.Sleep(1900 * time.Millisecond)
		synctest.Wait()
		if late := p.Overdue(); late > 2*Tick {
			t.Errorf("%v overdue before anything is late", late)
		}
		time.Sleep(5100 * time.Millisecond)
		synctest.Wait()
		if late := p.Overdue(); late != 5*time.Second {
			t.Errorf("%v overdue, want 5s: a check that began 7 s ago, to be made each 2 s", late)
		}
		close(end)
		time.Sleep(3 * time.Second)
		synctest.Wait()
		if late := p.Overdue(); late > 2*Tick {
			t.Errorf("%v overdue after it ended", late)
		}
	})
}
