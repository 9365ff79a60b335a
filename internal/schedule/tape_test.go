package schedule

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"ldirectord/checker"
	"ldirectord/checker/transcript"
	"ldirectord/checker/wire"
)

// Each time that a transcript is asked for, one check is recorded: the next one that is due anyway.
func TestOneCheckIsTakenDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := run(t)
		wanted := task(time.Second, checkFunc(func(ctx context.Context) checker.Result {
			w := wire.Watching(ctx)
			w.Remark("asked")
			if w.IsTaped() {
				w.Tape.Close(func(_ transcript.Kind, text string, _ bool) string { return text })
			}
			return checker.Result{Detail: "no"}
		}))
		other := task(time.Second, checkFunc(func(context.Context) checker.Result { return checker.Result{} }))
		p.Set([]*Task{wanted, other}, nil)
		seen := func() (taped int, last Update) {
			t.Helper()
			pass(5 * time.Second)
			for _, u := range p.Take() {
				if u.Task == wanted {
					last = u
				}
				if u.Tape != nil {
					taped++
					if u.Task != wanted || u.Tape.String() == "" {
						t.Errorf("taken down: %q", u.Tape.String())
					}
				}
			}
			return taped, last
		}
		n, before := seen()
		if n != 0 {
			t.Errorf("%d checks were taken down before it was asked for", n)
		}
		for range 2 {
			p.Tape(wanted)
			n, after := seen()
			if n != 1 {
				t.Errorf("%d checks were taken down, want 1", n)
			}
			if off := after.Began.Sub(before.Began) % time.Second; off > 2*Tick &&
				off < time.Second-2*Tick {
				t.Errorf("the schedule moved by %v", off)
			}
		}
	})
}
