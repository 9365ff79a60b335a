package director

import "context"

// aside carries out slow orders in a goroutine of its own, one after the other.
type aside[O, R any] struct {
	carryOut func(context.Context, O) R
	reports  chan R // the results of the orders
	want     O      // the next order
	due      bool   // the next order has to start
	busy     bool   // an order is in progress
	trouble  string // why the last order failed
}

func newAside[O, R any](carryOut func(context.Context, O) R) aside[O, R] {
	return aside[O, R]{carryOut: carryOut, reports: make(chan R, 1)}
}

// start starts the order that is due, unless another one is in progress. An order runs to its end even if ctx ends.
func (a *aside[O, R]) start(ctx context.Context) {
	if a.due && !a.busy {
		a.due, a.busy = false, true
		want := a.want
		go func() { a.reports <- a.carryOut(context.WithoutCancel(ctx), want) }()
	}
}

// idle reports whether no order is due or in progress.
func (a *aside[O, R]) idle() bool { return !a.due && !a.busy }

// isOver waits, at a stop, for the order in progress, and reports whether it ended before ctx.
func (a *aside[O, R]) isOver(ctx context.Context) bool {
	a.due = false
	if !a.busy {
		return true
	}
	select {
	case <-a.reports:
		a.busy = false
	case <-ctx.Done():
	}
	return !a.busy
}
