package core

// background is slow work that runs alongside everything else, one order at a time. Here an order is the complete list
// of mark rules or addresses to set, not an operator's order.
type background[O any] struct {
	want    O      // the next order
	due     bool   // the next order has to start
	busy    bool   // an order is in progress
	trouble string // why the last order failed
}

// take begins the order that is due, unless another one is in progress.
func (a *background[O]) take() (want O, begins bool) {
	if !a.due || a.busy {
		return want, false
	}
	a.due, a.busy = false, true
	return a.want, true
}

// interrupt drops the order that is due, and stops waiting for the one in progress.
func (a *background[O]) interrupt() { a.due, a.busy = false, false }

// idle reports whether no order is due or in progress.
func (a *background[O]) idle() bool { return !a.due && !a.busy }
