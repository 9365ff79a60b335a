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

// ask makes a request with a time limit, unless the director ends.
func (t table) ask(limit time.Duration, request func(context.Context) error) judge.Outcome {
	err := t.ctx.Err()
	if err == nil {
		ctx, cancel := context.WithTimeout(t.ctx, limit)
		defer cancel()
		err = request(ctx)
		t.alive()
	}
	return t.outcome(err)
}

// outcome is the outcome that an error of the table is.
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
	var results []error
	all := t.ask(limit, func(ctx context.Context) error {
		results = t.client.Do(ctx, ops...)
		return nil
	})
	outcomes := slices.Repeat([]judge.Outcome{all}, len(ops))
	for i, err := range results {
		outcomes[i] = t.outcome(err)
	}
	return outcomes
}

// Read implements core.Table.
func (t table) Read(limit time.Duration) (have lvs.Table, o judge.Outcome) {
	o = t.ask(limit, func(ctx context.Context) (err error) {
		have, err = t.client.Read(ctx)
		return err
	})
	return have, o
}

// Services implements core.Table.
func (t table) Services(limit time.Duration, keys ...lvs.Key) (found lvs.Table, o judge.Outcome) {
	o = t.ask(limit, func(ctx context.Context) (err error) {
		found, err = t.client.Services(ctx, keys...)
		return err
	})
	return found, o
}

// Timeouts implements core.Table.
func (t table) Timeouts(limit time.Duration, want lvs.Timeouts) (was lvs.Timeouts, o judge.Outcome) {
	o = t.ask(limit, func(ctx context.Context) (err error) {
		was, err = t.client.Timeouts(ctx, want)
		return err
	})
	return was, o
}

// Now implements core.Table.
func (t table) Now() time.Time { return time.Now() }
