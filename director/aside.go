package director

import "context"

// aside carries out orders in a goroutine of its own, because they may take long: one after the other. The fields that
// are no channels belong to the director's goroutine.
type aside[O, R any] struct {
	orders  chan O
	reports chan R
	done    chan struct{} // its goroutine has ended

	due  bool // there is something to order
	busy bool // an order is carried out
}

// newAside ends with ctx, but finishes what it is at.
func newAside[O, R any](ctx context.Context, carryOut func(context.Context, O) R) aside[O, R] {
	a := aside[O, R]{orders: make(chan O), reports: make(chan R), done: make(chan struct{})}
	go func() { defer close(a.done); a.run(ctx, carryOut) }()
	return a
}

func (a aside[O, R]) run(ctx context.Context, carryOut func(context.Context, O) R) {
	for {
		select {
		case <-ctx.Done():
			return
		case order := <-a.orders:
			report := carryOut(context.WithoutCancel(ctx), order)
			select {
			case <-ctx.Done():
				return
			case a.reports <- report:
			}
		}
	}
}

// next is where the order that is due goes, nil when none is.
func (a *aside[O, R]) next() chan<- O {
	if !a.due || a.busy {
		return nil
	}
	return a.orders
}

// ordered notes that the order that was due is carried out.
func (a *aside[O, R]) ordered() { a.due, a.busy = false, true }

// idle reports whether every order was carried out, with or without success.
func (a *aside[O, R]) idle() bool { return !a.due && !a.busy }
