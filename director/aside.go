package director

import "context"

// aside carries out orders beside the director's goroutine, because they may take long: one after the other.
type aside[O, R any] struct {
	carryOut func(context.Context, O) R
	reports  chan R // how they ended
	want     O      // what is to be
	due      bool   // it is to be ordered
	busy     bool   // an order is carried out
	trouble  string // why the last one failed
}

func newAside[O, R any](carryOut func(context.Context, O) R) aside[O, R] {
	return aside[O, R]{carryOut: carryOut, reports: make(chan R, 1)}
}

// start carries out what is due, unless it is busy. An order is carried out to its end, also when ctx ends meanwhile.
func (a *aside[O, R]) start(ctx context.Context) {
	if a.due && !a.busy {
		a.due, a.busy = false, true
		want := a.want
		go func() { a.reports <- a.carryOut(context.WithoutCancel(ctx), want) }()
	}
}

// idle reports whether every order was carried out, with or without success.
func (a *aside[O, R]) idle() bool { return !a.due && !a.busy }

// isOver waits, at the end, for an order that is carried out, and reports whether it ended before ctx did.
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
