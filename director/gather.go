package director

import "slices"

// announced are the addresses of a virtual service.
type announced []*announcement

// areElsewhere reports whether they are announced, and none is where it belongs.
func (all announced) areElsewhere() bool {
	return len(all) > 0 && !slices.ContainsFunc(all, (*announcement).isThere)
}

// gather has every server asked at once when the first one is back, by a check: those of all virtual services of its
// addresses, which come back together.
func (e *examiner) gather(v *virtual, by *judgement) {
	for _, one := range v.addresses {
		for _, other := range one.virtuals {
			if other.Away = other.addresses.areElsewhere(); !other.IsAway() || other.Gathers() {
				continue
			}
			other.Gather(by.Began)
			for x := range checked(other) {
				e.hurry(x.j.check)
			}
		}
	}
}
