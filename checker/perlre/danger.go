package perlre

// danger is what may explode in a pattern: the number of ways in which the engine can divide a text among
// repeats grows faster than the text.
type danger struct {
	pos int
	why string
}

// findDanger looks for repeats in each other, and for repeats side by side, that compete for the same bytes. It
// is for the operator's eye: it finds the forms that people write, not all there are.
func findDanger(tree *node) *danger {
	for n := range tree.all() {
		switch {
		case n.endless() && n.subs[0].splits(byteSet{}):
			return &danger{n.pos, "it repeats what is itself repeated, over the same characters"}
		case n.endless() && n.subs[0].ambiguous():
			return &danger{n.pos, "it repeats alternatives that match the same characters"}
		case n.kind == sequence:
			if pos, ok := neighbours(n.subs); ok {
				return &danger{pos, "two repeats follow each other, over the same characters"}
			}
		}
	}
	return nil
}

func (n *node) endless() bool { return n.kind == repeat && (n.high < 0 || n.high > 100) }

// bytes are all that a match of a node may contain.
func (n *node) bytes() (set byteSet) {
	switch n.kind {
	case single:
		return n.set
	case reference:
		return byteSet{}.negated()
	case look:
		return set
	}
	for _, sub := range n.subs {
		set.union(sub.bytes())
	}
	return set
}

// splits reports whether a node that is repeated can divide the same bytes in several ways: an endless repeat is in
// it, and nothing beside that surely takes other bytes. fixed are the bytes of what is beside it further out.
func (n *node) splits(fixed byteSet) bool {
	switch n.kind {
	case repeat:
		return n.endless() && !fixed.parts(n.bytes()) || n.subs[0].splits(fixed)
	case choice, capture, condition:
		for _, sub := range n.subs {
			if sub.splits(fixed) {
				return true
			}
		}
	case sequence:
		for i, sub := range n.subs {
			if sub.splits(n.fixedBeside(i, fixed, sub.bytes())) {
				return true
			}
		}
	}
	return false
}

// parts reports whether a byte of the set surely ends what takes other bytes.
func (s byteSet) parts(other byteSet) bool { return s.size() > 0 && !s.meets(other) }

// fixedBeside is the set of something beside a member that must match, and takes other bytes than it.
func (n *node) fixedBeside(member int, fixed, taken byteSet) byteSet {
	for i, sub := range n.subs {
		if set := sub.bytes(); i != member && sub.minLength() > 0 && !set.meets(taken) {
			return set
		}
	}
	return fixed
}

// ambiguous reports whether two alternatives may take the same bytes.
func (n *node) ambiguous() bool {
	switch n.kind {
	case capture, sequence:
		return len(n.subs) == 1 && n.subs[0].ambiguous()
	case choice:
		for i, one := range n.subs {
			for _, other := range n.subs[:i] {
				if sameBytes(one, other) {
					return true
				}
			}
		}
	}
	return false
}

// sameBytes reports whether one alternative may match what another does, or what it begins with.
func sameBytes(a, b *node) bool {
	first, second := a.singles(), b.singles()
	for i := range min(len(first), len(second)) {
		if !first[i].meets(second[i]) {
			return false
		}
	}
	return len(first) > 0 && len(second) > 0
}

// singles are the sets of a node, as far as it begins with single bytes.
func (n *node) singles() (sets []byteSet) {
	switch n.kind {
	case single:
		return []byteSet{n.set}
	case sequence:
		for _, sub := range n.subs {
			if sub.kind != single {
				break
			}
			sets = append(sets, sub.set)
		}
	}
	return sets
}

// neighbours looks for endless repeats side by side over the same bytes, and returns where the second is.
func neighbours(subs []*node) (pos int, ok bool) {
	var last byteSet // of the endless repeats since something that had to match
	for _, sub := range subs {
		set := sub.bytes()
		switch {
		case sub.endless() && last.meets(set):
			return sub.pos, true
		case sub.endless():
			last.union(set)
		case sub.minLength() > 0:
			last = byteSet{}
		}
	}
	return 0, false
}
