package director

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"ldirectord/core"
	"ldirectord/ipvsctl"
	"ldirectord/judge"
	"ldirectord/lvs"
)

// slowTable waits before each change. Whether it respects the deadline is up to the test.
type slowTable struct {
	*ipvsctl.Memory
	until func(ctx context.Context)
}

func (s *slowTable) Do(ctx context.Context, ops ...lvs.Op) []error {
	s.until(ctx)
	return s.Memory.Do(ctx, ops...)
}

// maxSilence runs a director over the table for ten minutes. It returns the longest time without a sign of life.
func maxSilence(t *testing.T, until func(context.Context)) (longest time.Duration) {
	t.Helper()
	s := newScenario(t)
	s.configs["one"] = "checkinterval = 3600\nvirtual = 10.1.0.1:80\n\treal = 10.2.0.1:80 gate\n\tchecktype = on\n"
	s.journal = s.newJournal()
	ctx, end := context.WithTimeout(t.Context(), 10*time.Minute)
	defer end()
	last := time.Now()
	look := func() { longest, last = max(longest, time.Since(last)), time.Now() }
	d := New(Deps{Table: &slowTable{s.table.Memory, until}, Alive: look, Pulse: 5 * time.Second, World: core.World{Tell: s.receivers()}})
	if err := d.Run(ctx, s.plan("one")); err != nil {
		t.Error(err)
	}
	look()
	if err := s.journal.Close(context.Background()); err != nil {
		t.Error(err)
	}
	return longest
}

func TestAliveIsToldWhileTheTableIsSlowButNotWhenTheLoopIsStuck(t *testing.T) {
	for name, c := range map[string]struct {
		until       func(context.Context)
		least, most time.Duration
	}{
		"quick":  {func(context.Context) {}, 5 * time.Second, 5 * time.Second},
		"no end": {func(ctx context.Context) { <-ctx.Done() }, judge.TableTimeout, judge.TableTimeout},
		"stuck":  {func(context.Context) { time.Sleep(time.Hour) }, time.Hour, 2 * time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				if d := maxSilence(t, c.until); d < c.least || d > c.most {
					t.Errorf("silent for %v, want %v to %v", d, c.least, c.most)
				}
			})
		})
	}
}
