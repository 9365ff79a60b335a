package director

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"ldirectord/internal/core"
	"ldirectord/internal/judge"
	"ldirectord/internal/lvs"
	"ldirectord/internal/testkit"
	"ldirectord/ipvsctl"
)

// slowTable waits before each change. Whether it respects the deadline is up to the test.
type slowTable struct {
	*ipvsctl.Memory
	until func(ctx context.Context) error
}

func (s *slowTable) Do(ctx context.Context, ops ...lvs.Op) []error {
	_ = s.until(ctx)
	return s.Memory.Do(ctx, ops...)
}

// Alive is called while the table is slow, but not while the loop is stuck.
func TestSignsOfLife(t *testing.T) {
	const pulse = 5 * time.Second
	for name, row := range map[string]struct {
		until       func(context.Context) error
		least, most time.Duration // the longest silence in ten minutes
	}{
		"quick":  {func(context.Context) error { return nil }, pulse, pulse},
		"no end": {hangs, judge.TableTimeout, judge.TableTimeout},
		"stuck":  {func(context.Context) error { time.Sleep(time.Hour); return nil }, time.Hour, 2 * time.Hour},
	} {
		synctest.Test(t, func(t *testing.T) {
			s := newScenario(t)
			s.configs["one"] = "checkinterval = 3600\nvirtual = 10.1.0.1:80\n\treal = 10.2.0.1:80 gate\n" +
				"\tchecktype = on\n"
			ctx, end := context.WithTimeout(t.Context(), 10*time.Minute)
			defer end()
			var longest time.Duration
			last := time.Now()
			look := func() { longest, last = max(longest, time.Since(last)), time.Now() }
			d := New(Deps{Table: &slowTable{s.table.Memory, row.until}, Alive: look, Pulse: pulse,
				World: core.World{}})
			testkit.OK(t, d.Run(ctx, s.plan("one")))
			if look(); longest < row.least || longest > row.most {
				t.Errorf("%s: silent for %v, want %v to %v", name, longest, row.least, row.most)
			}
		})
	}
}
