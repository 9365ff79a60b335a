package director

import (
	"context"
	"slices"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"ldirectord/internal/judge"
	"ldirectord/internal/lvs"
	"ldirectord/ipvsctl"
)

// answering is a table whose answers a test gives. It makes no change.
type answering struct {
	ipvsctl.Client
	answer func(context.Context) error
}

func (a answering) Do(ctx context.Context, ops ...lvs.Op) []error {
	return slices.Repeat([]error{a.answer(ctx)}, len(ops))
}
func (a answering) Read(ctx context.Context) (lvs.Table, error) { return nil, a.answer(ctx) }
func (a answering) Services(ctx context.Context, _ ...lvs.Key) (lvs.Table, error) {
	return nil, a.answer(ctx)
}
func (a answering) Timeouts(ctx context.Context, w lvs.Timeouts) (lvs.Timeouts, error) {
	return w, a.answer(ctx)
}

// hangs gives no answer before the caller gives up.
func hangs(ctx context.Context) error {
	<-ctx.Done()
	return ctx.Err()
}

// Each request has a time limit, and is a sign of life. None is made after the end.
func TestTheOutcomesOfRequests(t *testing.T) {
	const limit, never = 5 * time.Second, time.Hour
	always := func(err error) func(context.Context) error { return func(context.Context) error { return err } }
	for what, row := range map[string]struct {
		answer     func(context.Context) error
		ends, took time.Duration
		want       judge.Answer
	}{
		"it is done":                {always(nil), never, 0, judge.Done},
		"it is refused":             {always(syscall.EINVAL), never, 0, judge.Refused},
		"an entry is missing":       {always(syscall.ENOENT), never, 0, judge.Missing},
		"it gets no answer":         {hangs, never, limit, judge.Unanswered},
		"the daemon has ended":      {always(nil), 0, 0, judge.Interrupted},
		"the daemon ends meanwhile": {hangs, time.Second, time.Second, judge.Interrupted},
	} {
		for kind, request := range map[string]func(table) judge.Outcome{
			"change":   func(t table) judge.Outcome { return t.Do(limit, lvs.Op{}, lvs.Op{})[1] },
			"read":     func(t table) judge.Outcome { _, o := t.Read(limit); return o },
			"counters": func(t table) judge.Outcome { _, o := t.Services(limit); return o },
			"timeouts": func(t table) judge.Outcome { _, o := t.Timeouts(limit, lvs.Timeouts{}); return o },
		} {
			synctest.Test(t, func(t *testing.T) {
				ctx, end := context.WithTimeout(t.Context(), row.ends)
				defer end()
				lives, begun := 0, time.Now()
				o := request(table{ctx, answering{answer: row.answer}, func() { lives++ }})
				if o.Answer != row.want || (o.Err == nil) != (row.want == judge.Done) ||
					time.Since(begun) != row.took || (lives == 0) != (row.ends == 0) {
					t.Errorf("%s, %s: %+v after %v, %d signs of life", what, kind, o,
						time.Since(begun), lives)
				}
			})
		}
	}
}
