package director

import (
	"slices"
	"time"
)

// This file is about servers that are back where too few were up: the address was withdrawn for that, or is on the last
// resort. They come into the table together, when each server that counts has passed since, or fails for good:
// mh over a part of the servers would send the connections of other directors elsewhere. All are asked at once, so that
// takes one check's timeout, or stillAway where that is longer.

// isAway reports whether too few servers are up, and the addresses are elsewhere for that.
func (v *virtual) isAway() bool {
	n := &v.Strength
	weak := n.Known && !(n.Enough && n.Serves)
	return weak && len(v.addresses) > 0 && !slices.ContainsFunc(v.addresses, (*announcement).isThere)
}

// stillAway is how long a server that fails is asked again after the first one is back: the kernel may look for it for
// a second or two where the link was down.
const stillAway = 2 * time.Second

// awaits reports whether a check is waited for: since the first server was back it has not passed, nor failed for good.
func (x user) awaits() bool {
	if !x.v.Gathers() || x.v.Weight(x.s.i) == 0 || x.s.Held || x.s.Drained() || x.s.Suspended() {
		return false
	}
	c := x.j.check
	passed := c.last.OK && !c.began.Before(x.v.Back)
	return !passed && c.answered.Before(x.v.Back.Add(stillAway))
}

// gathered ends that, as soon as no server is waited for.
func (v *virtual) gathered() {
	if !v.Gathers() {
		return
	}
	if v.isAway() {
		for x := range checked(v) {
			if x.awaits() {
				return
			}
		}
	}
	v.Back, v.dirty = time.Time{}, true
}

// gather has every server asked at once when the first one is back, by a check: those of all virtual services of its
// addresses, which come back together.
func (d *Director) gather(v *virtual, by *judgement) {
	for _, one := range v.addresses {
		for _, i := range one.virtuals {
			other := d.virtuals[i]
			if !other.isAway() || other.Gathers() {
				continue
			}
			other.Back = by.check.began
			for x := range checked(other) {
				d.hurry(x.j.task, x.j.check)
			}
		}
	}
}
