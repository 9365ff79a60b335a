package schedule

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"ldirectord/checker"
	"ldirectord/internal/health"
	"ldirectord/internal/testkit"
)

// starts records when each check begins, as the time since an instant.
type starts struct {
	mu    sync.Mutex
	begin time.Time
	at    []time.Duration
}

func (s *starts) note() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.at = append(s.at, time.Since(s.begin))
}

// check is a check that fails at once, of which the start is recorded.
func (s *starts) check() checker.Checker {
	return checkFunc(func(context.Context) checker.Result { s.note(); return checker.Result{} })
}

// again forgets all earlier starts and counts from now.
func (s *starts) again(at []time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.begin, s.at = time.Now(), at
}

// A rack fails: ten thousand servers fail from one moment on, and all their tasks are hurried.
func TestExtraChecksHaveABudget(t *testing.T) {
	for _, every := range []time.Duration{time.Second, 10 * time.Second} {
		synctest.Test(t, func(t *testing.T) {
			const servers = 10_000
			s := &starts{begin: time.Now()}
			p := run(t)
			var tasks []*Task
			for range servers {
				tasks = append(tasks, task(every, s.check()))
			}
			p.Set(tasks, nil)
			pass(3 * every)
			for _, tk := range tasks {
				p.Hurry(tk, every/2)
			}
			s.again(make([]time.Duration, 0, 3*servers))
			pass(2 * every)
			budget := int(2*every/time.Second) * 500
			if extra := len(s.at) - 2*servers; extra < budget*7/10 || extra > budget+servers/100 {
				t.Errorf("interval %v: %d extra checks in two intervals, want up to %d", every, extra,
					budget)
			}
			planned := int(servers * Tick / gridOf(every, servers))
			for i, at := range s.at {
				if j, _ := slices.BinarySearch(s.at,
					at+Tick); j-i > 2*planned+2*int(Tick/extraEvery)+3 {
					t.Fatalf("interval %v: %d checks at once, %d are planned", every, j-i, planned)
				}
			}
		})
	}
}

func TestAnExtraCheckWaitsForItsTurnOrForItsInterval(t *testing.T) {
	const now = 1000 * time.Second
	for _, row := range testkit.Table(t, "../../testdata/schedule/turns.txt", 5) {
		var in [2]time.Duration // when it may go, and when it is planned
		for i := range in {
			in[i] = testkit.Must(time.ParseDuration(row[i+1]))(t, row[0])
		}
		p := NewPool()
		p.free = now + in[0]
		tk := &Task{slot: slot{due: now}, hurried: 1, planned: now + in[1], granted: row[3] != ""}
		got := map[bool]string{true: "runs", false: "waits"}[p.grants(tk, now)]
		testkit.Equal(t, fmt.Sprintf("%s, due %v, next %v", got, tk.due-now, p.free-now), row[4], row[0])
	}
}

// judging decides about results as the director does: a task is hurried while its last result contradicts its state.
func judging(ctx context.Context, p *Pool, tasks []*Task, every time.Duration,
	r health.Rule) (changed map[*Task]time.Time) {
	health, hurried := make(map[*Task]health.Health, len(tasks)), map[*Task]bool{}
	changed = make(map[*Task]time.Time, len(tasks))
	go func() {
		for {
			select {
			case <-ctx.Done():
				return
			case <-p.Results():
			}
			for _, u := range p.Take() {
				was := health[u.Task].State
				h := health[u.Task].Next(u.Result.OK, r)
				health[u.Task] = h
				if h.State != was {
					changed[u.Task] = time.Now()
				}
				if doubted := h.Doubted(u.Result.OK); doubted != hurried[u.Task] {
					hurried[u.Task] = doubted
					p.Hurry(u.Task, map[bool]time.Duration{true: every}[doubted])
				}
			}
		}
	}()
	return changed
}

// A state changes within interval + (count - 1) x fastinterval + the time of the checks, at whatever moment a server
// fails or comes back.
func TestAVerdictComesInTime(t *testing.T) {
	const count, ms = 3, time.Millisecond
	for _, c := range []struct{ every, fast, took time.Duration }{
		{10 * time.Second, 500 * ms, 0}, {10 * time.Second, 500 * ms, 2 * time.Second}, {time.Second, 100 * ms,
			100 * ms},
		{100 * ms, 50 * ms, 0}, {10 * time.Second, 4 * time.Second, 9 * time.Second},
	} {
		synctest.Test(t, func(t *testing.T) {
			p := run(t)
			var up atomic.Bool
			up.Store(true)
			tk := task(c.every, checkFunc(func(ctx context.Context) checker.Result {
				if up.Load() {
					return checker.Result{OK: true}
				}
				until(ctx, c.took)
				return checker.Result{}
			}))
			p.Set([]*Task{tk}, nil)
			changed := judging(t.Context(), p, []*Task{tk}, c.fast, health.Rule{Fall: count, Rise: count})
			time.Sleep(3 * c.every)
			for range 20 {
				for _, now := range []bool{false, true} {
					begin := time.Now()
					up.Store(now)
					pass(5*c.every + 5*c.took)
					limit := c.every + (count-1)*c.fast + 2*count*Tick
					if !now {
						limit += count * c.took
					}
					if late := changed[tk].Sub(begin) - limit; late > 0 ||
						!changed[tk].After(begin) {
						t.Errorf("%+v: up %v after %v, want %v at most", c, now,
							changed[tk].Sub(begin), limit)
					}
					time.Sleep(c.every * 7 / 100) // to another moment of the interval
				}
			}
		})
	}
}

// Ten thousand servers with an interval of 10 s fail at once. 500 checks a second are added to the 1,000 of the
// schedule, no server is found down later than without them, and they end when all are known to be down.
func TestADeadRackIsNoStorm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const servers, every = 10_000, 10 * time.Second
		p := run(t)
		s := &starts{begin: time.Now()}
		var dead atomic.Bool
		var tasks []*Task
		for range servers {
			tasks = append(tasks, task(every, checkFunc(func(context.Context) checker.Result {
				s.note()
				return checker.Result{OK: !dead.Load()}
			})))
		}
		p.Set(tasks, nil)
		changed := judging(t.Context(), p, tasks, 500*time.Millisecond, health.Rule{Fall: 3, Rise: 3})
		pass(3 * every)
		s.again(make([]time.Duration, 0, 10*servers))
		begin := time.Now()
		dead.Store(true)
		pass(4 * every)
		last, soon := time.Duration(0), 0
		for _, tk := range tasks {
			took := changed[tk].Sub(begin)
			if last = max(last, took); took > 0 && took <= every+1100*time.Millisecond {
				soon++
			}
		}
		if last > 3*every+2*Tick || soon < 1000 {
			t.Errorf("the last of %d is down after %v, %d within an interval and two fast ones",
				len(changed), last, soon)
		}
		perSecond := map[int]int{}
		for _, at := range s.at {
			perSecond[int(at/time.Second)]++
		}
		for second, checks := range perSecond {
			limit := 1000 + 500
			if second >= 31 {
				limit = 1000
			}
			if checks > limit+20 {
				t.Errorf("%d checks in second %d, want %d at most", checks, second, limit)
			}
		}
	})
}
