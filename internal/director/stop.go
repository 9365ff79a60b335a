package director

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"ldirectord/internal/core"
)

const (
	stopTimeout   = 20 * time.Second      // the longest time for cleaning up at a stop
	withdrawRetry = time.Second           // the longest time between two orders to withdraw addresses, at a stop
	withdrawPause = 10 * time.Millisecond // the shortest
)

// stop cleans up within stopTimeout. It changes mark rules last, because they may take a long time. At a handover it
// changes nothing, and only waits for an order for mark rules that is in progress.
func (d *Director) stop(ended context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ended), stopTimeout)
	defer cancel()
	handedOver := errors.Is(context.Cause(ended), ErrHandover)
	if !handedOver {
		d.core.Stop(time.Now(), d.table(ctx))
		d.withdraw(ctx)
		d.hooks.wait(ctx, core.HooksTimeout)
		d.left = d.core.Clear(time.Now())
		d.settle(ctx)
	}
	if _, ended := d.rules.wait(ctx); !ended {
		d.core.RulesStay()
		return
	}
	if left, changes := d.core.RulesLeft(); changes && !handedOver {
		d.setRules(ctx, left, d.core.RulesSet)
		if report, ended := d.rules.wait(ctx); ended {
			report()
		} else {
			d.core.RulesStay()
		}
	}
}

// withdraw withdraws the addresses whose virtual services are about to be removed, and waits until this is done.
func (d *Director) withdraw(ctx context.Context) {
	if !d.core.Announces() {
		return
	}
	if _, ended := d.addresses.wait(ctx); !ended {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, d.core.WithdrawWait())
	defer cancel()
	for ctx.Err() == nil {
		again, over := d.settle(ctx)
		if over {
			return
		}
		d.alive()
		select {
		case <-time.After(max(min(time.Until(again), withdrawRetry), withdrawPause)):
		case <-ctx.Done():
		}
	}
}

// settle puts addresses where they belong at a stop. It returns the time of the next try, and whether all addresses
// that have to be withdrawn are gone.
func (d *Director) settle(ctx context.Context) (again time.Time, over bool) {
	if !d.core.Announces() {
		return again, true
	}
	all, err := d.place(ctx, d.core.Withdrawing(time.Now()))
	return d.core.Withdrew(time.Now(), all, err)
}

// hooks counts the receivers of changes (see core.Change) whose work must end before virtual services leave the table.
type hooks struct {
	left  atomic.Int32
	ended chan struct{} // signals that one has ended
}

// await adds a receiver to wait for. The receiver ends the wait by calling the returned function.
func (h *hooks) await() (done func()) {
	h.left.Add(1)
	return func() {
		h.left.Add(-1)
		select {
		case h.ended <- struct{}{}:
		default:
		}
	}
}

// wait waits for all receivers, within a time limit.
func (h *hooks) wait(ctx context.Context, limit time.Duration) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	for h.left.Load() > 0 && ctx.Err() == nil {
		select {
		case <-h.ended:
		case <-ctx.Done():
		}
	}
}
