package director

import "context"

// aside carries out orders beside the director's goroutine, because they may take long: one after the other.
type aside[R any] struct {
	reports chan R // how they ended
	due     bool   // there is something to order
	busy    bool   // an order is carried out
}

func newAside[R any]() aside[R] { return aside[R]{reports: make(chan R, 1)} }

// start carries out what is due, unless it is busy.
func (a *aside[R]) start(carryOut func() R) {
	if a.due && !a.busy {
		a.due, a.busy = false, true
		go func() { a.reports <- carryOut() }()
	}
}

// idle reports whether every order was carried out, with or without success.
func (a *aside[R]) idle() bool { return !a.due && !a.busy }

// isOver waits, at the end, for an order that is carried out, and reports whether it ended before ctx did.
func (a *aside[R]) isOver(ctx context.Context) bool {
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
