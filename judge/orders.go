package judge

import (
	"maps"
	"time"

	"ldirectord/lvs"
)

// Orders are the operator's orders, whatever they say, once some were Given. One that ended here does not begin again,
// although its sender still gives it.
type Orders[O comparable] struct {
	Held map[lvs.Backend]O // in force; a change makes another map
	Over map[lvs.Backend]O // ended here, while the sender still gives them
}

// Given replaces the orders. It returns those that begin, and those that are undone.
func (b *Orders[O]) Given(all map[lvs.Backend]O) (begun, undone map[lvs.Backend]O) {
	before, over := b.Held, b.Over
	b.Held, b.Over = map[lvs.Backend]O{}, map[lvs.Backend]O{}
	begun, undone = map[lvs.Backend]O{}, maps.Clone(before)
	for at, o := range all {
		if over[at] == o { // no order is empty
			b.Over[at] = o
			continue
		}
		b.Held[at] = o
		if delete(undone, at); o != before[at] {
			begun[at] = o
		}
	}
	return begun, undone
}

// Expire ends the orders whose time is over, given when orders end. Next is when the next one ends; zero: none does.
func (b *Orders[O]) Expire(ends map[lvs.Backend]time.Time, now time.Time) (over map[lvs.Backend]O, next time.Time) {
	over = map[lvs.Backend]O{}
	for at, end := range ends {
		if !end.After(now) {
			over[at] = b.Held[at]
			b.End(at)
		} else if next.IsZero() || end.Before(next) {
			next = end
		}
	}
	return over, next
}

// End ends an order.
func (b *Orders[O]) End(at lvs.Backend) {
	b.Over[at], b.Held = b.Held[at], maps.Clone(b.Held)
	delete(b.Held, at)
}
