package director

import (
	"context"
	"errors"
	"slices"
	"time"

	"ldirectord/internal/core"
	"ldirectord/internal/judge"
	"ldirectord/internal/lvs"
	"ldirectord/ipvsctl"
)

// table carries out the core's requests to the director's table, until ctx is done.
type table struct {
	ctx    context.Context
	client ipvsctl.Client
	alive  func() // called after each request
}

func (d *Director) table(ctx context.Context) core.Table { return table{ctx, d.deps.Table, d.alive} }

// ask makes a request with a time limit, unless t.ctx is already done.
func ask[A any](t table, limit time.Duration, request func(context.Context) (A, error)) (A, judge.Outcome) {
	var answer A
	err := t.ctx.Err()
	if err == nil {
		ctx, cancel := context.WithTimeout(t.ctx, limit)
		defer cancel()
		answer, err = request(ctx)
		t.alive()
	}
	return answer, t.outcome(err)
}

// outcome turns an error of the table into an outcome.
func (t table) outcome(err error) judge.Outcome {
	switch {
	case err == nil:
		return judge.Outcome{}
	case t.ctx.Err() != nil:
		return judge.Outcome{Answer: judge.Interrupted, Err: err}
	case errors.Is(err, context.DeadlineExceeded):
		return judge.Outcome{Answer: judge.Unanswered, Err: err}
	case ipvsctl.IsMissing(err):
		return judge.Outcome{Answer: judge.Missing, Err: err}
	}
	return judge.Outcome{Answer: judge.Refused, Err: err}
}

// Do implements core.Table.
func (t table) Do(limit time.Duration, ops ...lvs.Op) []judge.Outcome {
	results, all := ask(t, limit, func(ctx context.Context) ([]error, error) {
		return t.client.Do(ctx, ops...), nil
	})
	outcomes := slices.Repeat([]judge.Outcome{all}, len(ops))
	for i, err := range results {
		outcomes[i] = t.outcome(err)
	}
	return outcomes
}

// Read implements core.Table.
func (t table) Read(limit time.Duration) (lvs.Table, judge.Outcome) {
	return ask(t, limit, t.client.Read)
}

// Services implements core.Table.
func (t table) Services(limit time.Duration, keys ...lvs.Key) (lvs.Table, judge.Outcome) {
	return ask(t, limit, func(ctx context.Context) (lvs.Table, error) { return t.client.Services(ctx, keys...) })
}

// Timeouts implements core.Table.
func (t table) Timeouts(limit time.Duration, want lvs.Timeouts) (lvs.Timeouts, judge.Outcome) {
	return ask(t, limit, func(ctx context.Context) (lvs.Timeouts, error) { return t.client.Timeouts(ctx, want) })
}

// Now implements core.Table.
func (t table) Now() time.Time { return time.Now() }
