package orders

import (
	"maps"
	"time"

	"ldirectord/internal/lvs"
)

// Book contains the orders of a director. An order that has ended does not begin again while it is still given.
type Book struct {
	Held All // in force; a change makes a new map
	Over All // ended, but still given
}

// Given replaces the orders. It returns those that begin or change, and those that are no longer given.
func (b *Book) Given(all All) (begun, undone All) {
	before, over := b.Held, b.Over
	b.Held, b.Over = All{}, All{}
	begun, undone = All{}, maps.Clone(before)
	for at, o := range all {
		if over[at] == o { // at is in over: no order is empty
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

// Expire ends the orders whose end has come. ends holds the end of each order that has one. The result next is the time
// when the next order ends; zero if none does.
func (b *Book) Expire(ends map[lvs.Backend]time.Time, now time.Time) (over All, next time.Time) {
	over = All{}
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
func (b *Book) End(at lvs.Backend) {
	b.Over[at], b.Held = b.Held[at], maps.Clone(b.Held)
	delete(b.Held, at)
}
