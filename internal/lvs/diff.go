package lvs

import (
	"cmp"
	"slices"
)

// Diff lists the changes that turn the services of have into those of want. Services that are not in want belong to
// other programs and stay.
//
// In each service, operations that add capacity come before those that remove it. So a service that has a serving
// destination both before and after all changes also has one after each single change. Equal tables give the same
// changes in the same order.
func Diff(have, want Table) (ops []Op) {
	for _, key := range want.Keys() {
		ops = append(ops, DiffService(have[key], want[key])...)
	}
	return ops
}

// DiffService lists the changes of one service. If the service does not exist yet, old is zero.
func DiffService(old, service VirtualService) (ops []Op) {
	key := service.Key
	settings := service.Settings.Stored(key.IPv6)
	switch {
	case old.Key != key:
		ops = append(ops, Op{Kind: AddService, Key: key, Settings: settings})
	case old.Settings.Stored(key.IPv6) != settings:
		ops = append(ops, Op{Kind: EditService, Key: key, Settings: settings})
	}
	dests := len(ops)
	was, will := old.Dests, service.Dests // both in the order of their addresses
	for len(was)+len(will) > 0 {
		order := len(was) - len(will) // destinations of only one list, when the other has ended
		if len(was) > 0 && len(will) > 0 {
			order = will[0].Addr.Compare(was[0].Addr)
		}
		switch {
		case order < 0:
			ops = append(ops, Op{Kind: AddDest, Key: key, Dest: will[0]})
		case order > 0:
			ops = append(ops, Op{Kind: DelDest, Key: key, Dest: was[0], Old: was[0]})
		case was[0] != will[0]:
			ops = append(ops, Op{Kind: EditDest, Key: key, Dest: will[0], Old: was[0]})
		}
		if order <= 0 {
			will = will[1:]
		}
		if order >= 0 {
			was = was[1:]
		}
	}
	slices.SortStableFunc(ops[dests:], func(a, b Op) int { return cmp.Compare(a.rank(), b.rank()) })
	return ops
}

// Rounds is the number of rounds for changes of several services.
const Rounds = 4

// Round returns the round in which a change is made, counted from 0: first services, then additions of capacity, other
// edits, and removals. Removals thus wait until everything is added, so a service whose additions failed can keep its
// destinations.
func (op Op) Round() int {
	if op.Kind < AddDest {
		return 0
	}
	return 1 + op.rank()/2
}

// rank orders the changes of one service's destinations: additions, raised weights, other edits, lowered
// weights, removals.
func (op Op) rank() int {
	switch op.Kind {
	case AddDest:
		return 0
	case EditDest:
		return 2 + cmp.Compare(op.Old.Weight, op.Dest.Weight)
	default:
		return 4
	}
}
