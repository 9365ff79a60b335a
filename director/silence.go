package director

import (
	"cmp"
	"context"
	"errors"
	"time"

	"ldirectord/ipvsctl"
)

const (
	firstPatience = time.Second     // with a table that did not answer the last time; doubles up to tableTimeout
	longestPause  = 5 * time.Second // between two requests to it
)

// silence is a table that does not answer. Since the goroutine that decides waits for every answer, it asks no second
// time for as long as it has just waited: meanwhile it hears results, orders and questions. A refusal is an
// answer.
type silence struct {
	until    time.Time     // the table is not asked before
	patience time.Duration // how long the next answer is waited for; zero for tableTimeout
}

// errSilent is what is not asked of a table that does not answer.
var errSilent = errors.New("the table does not answer")

// silent reports whether the table did not answer a moment ago, and is not to be asked now.
func (d *Director) silent() bool { return time.Now().Before(d.silence.until) }

// request asks the table for something, with a time limit.
func (d *Director) request(ctx context.Context, kind operation, ask func(context.Context) error) error {
	patience := cmp.Or(d.silence.patience, tableTimeout)
	limited, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	defer d.alive()
	err := ask(limited)
	d.asked.count(kind, err)
	switch {
	case ctx.Err() != nil:
	case errors.Is(err, context.DeadlineExceeded):
		next := firstPatience
		if d.silence.patience > 0 {
			next = min(2*patience, tableTimeout)
		}
		d.silence = silence{until: time.Now().Add(min(patience, longestPause)), patience: next}
	default:
		d.silence = silence{}
	}
	return err
}

// read reads the whole table.
func (d *Director) read(ctx context.Context) (table ipvsctl.Table, err error) {
	err = d.request(ctx, readTable, func(ctx context.Context) (err error) {
		table, err = d.deps.Table.Read(ctx)
		return err
	})
	return table, err
}

// service reads one virtual service.
func (d *Director) service(ctx context.Context, k ipvsctl.Key) (service ipvsctl.Service, there bool, err error) {
	err = d.request(ctx, readTable, func(ctx context.Context) (err error) {
		service, there, err = d.deps.Table.ReadService(ctx, k)
		return err
	})
	return service, there, err
}

// do makes one change.
func (d *Director) do(ctx context.Context, op ipvsctl.Op) error {
	return d.request(ctx, operation(op.Kind), func(ctx context.Context) error { return d.deps.Table.Do(ctx, op) })
}
