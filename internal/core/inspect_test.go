package core

import (
	"fmt"
	"iter"
	"slices"

	"ldirectord/internal/judge"
	"ldirectord/internal/lvs"
)

// This file is for tests of what always holds, whatever happens.

// Cases yields what is known of each virtual service. It is valid until the next event.
func (c *Core) Cases() iter.Seq2[lvs.Key, *judge.Case] {
	return func(yield func(lvs.Key, *judge.Case) bool) {
		for _, v := range c.virtuals {
			if !yield(v.Key(), &v.Case) {
				return
			}
		}
	}
}

// Forgotten are the virtual services that are due, now or at a time, while no step would look at them: always none.
func (c *Core) Forgotten() []string { return c.agenda.forgotten(c.virtuals) }

func (a *agenda) forgotten(virtuals []*virtual) (wrong []string) {
	for _, v := range virtuals {
		isOpen := slices.Contains(a.open, v)
		isTimed := v.slot > 0 && a.timed[v.slot-1] == v
		due := v.dirty || v.Gathers() || v.Obeys || v.isUnweighed()
		if due && !isOpen || isOpen != v.isOpen || isTimed == v.again.IsZero() {
			wrong = append(wrong, fmt.Sprintf("%s: due %t, at %v; open %t, in the heap at %d",
				v.Config.ID, due, v.again, isOpen, v.slot))
		}
	}
	return wrong
}
