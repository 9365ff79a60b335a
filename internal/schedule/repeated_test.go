package schedule

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"ldirectord/checker"
)

// When the machine stood still while many checks were under way, these checks are repeated one after the other, not
// all at once. From then on each has its own moment of the interval.
func TestChecksThatAreMadeAgainAreNoStorm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const tasks, every, timeout, slice = 3000, 30 * time.Second, 5 * time.Second, 100 * time.Millisecond
		s := &starts{begin: time.Now()}
		wakes := s.begin.Add(70 * time.Second)
		p := run(t)
		var all []*Task
		for range tasks {
			all = append(all, task(every, checkFunc(func(ctx context.Context) checker.Result {
				s.note()
				end := time.Now().Add(timeout)
				if end.Before(wakes) && wakes.Sub(end) < timeout {
					end = wakes
				}
				until(ctx, time.Until(end))
				return checker.Result{}
			})))
		}
		p.Set(all, nil)
		time.Sleep(time.Until(wakes) - 1)
		p.mu.Lock()
		p.stalled = p.now()
		p.mu.Unlock()
		pass(2 * every)
		s.mu.Lock()
		defer s.mu.Unlock()
		begun := map[time.Duration]int{}
		for _, at := range s.at {
			if begun[at/slice]++; at > every*11/10 && begun[at/slice] > 120 {
				t.Fatalf("%v after the start more than 120 checks begin in %v", at, slice)
			}
		}
	})
}
