package director

import "slices"

// isElsewhere reports whether the addresses of a virtual service are announced, and none is where it belongs.
func (v *virtual) isElsewhere() bool {
	return len(v.addresses) > 0 && !slices.ContainsFunc(v.addresses, (*announcement).isThere)
}

// gather has every server asked at once when the first one is back, by a check: those of all virtual services of its
// addresses, which come back together.
func (e *examiner) gather(v *virtual, by *judgement) {
	for _, one := range v.addresses {
		for _, i := range one.virtuals {
			other := e.virtuals[i]
			if other.Away = other.isElsewhere(); !other.IsAway() || other.Gathers() {
				continue
			}
			other.Gather(by.Began)
			for x := range checked(other) {
				e.hurry(x.j.check)
			}
		}
	}
}
