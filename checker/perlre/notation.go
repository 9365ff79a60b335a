package perlre

import "fmt"

// notation writes a tree for one of the two engines. Both are given one rune per byte.
type notation struct {
	linear bool // for the engine of linear time
	out    []byte
	next   int // number of the next group of our own

	// What the linear engine would make of it.
	same  bool // it matches the same texts
	exact bool // and at the same places
}

// place is what follows a node on the way to the end of a match.
type place struct {
	tail bool // nothing
	more bool // surely a byte
}

// linearNotation writes a tree for the engine of linear time. Without same it is of no use.
func linearNotation(tree *node) notation {
	w := notation{linear: true, same: true, exact: true}
	w.bare(tree, place{tail: true})
	return w
}

// backtrackingNotation writes a tree for the backtracking engine. groups is how many groups it has.
func backtrackingNotation(tree *node, groups int) string {
	w := notation{next: groups + 1}
	w.bare(tree, place{})
	return string(w.out)
}

func (w *notation) emit(format string, values ...any) { w.out = fmt.Appendf(w.out, format, values...) }

// bare writes the inside of a group, or the whole pattern.
func (w *notation) bare(n *node, at place) {
	switch n.kind {
	case sequence:
		w.sequence(n.subs, at)
	case choice:
		for i, sub := range n.subs {
			if i > 0 {
				w.emit("|")
			}
			w.bare(sub, at)
		}
	default:
		w.unit(n, at)
	}
}

func (w *notation) sequence(subs []*node, at place) {
	last := -1 // that surely takes a byte
	for i, sub := range subs {
		if sub.minLength() > 0 {
			last = i
		}
	}
	for i, sub := range subs {
		w.unit(sub, place{tail: at.tail && i == len(subs)-1, more: at.more || i < last})
	}
}

// unit writes one member of a sequence.
func (w *notation) unit(n *node, at place) {
	switch n.kind {
	case single:
		w.single(n)
	case repeat:
		w.repeat(n, at)
	case sequence, choice:
		w.group("(?:", n, at)
	case capture:
		open := "(?:"
		if !w.linear {
			open = fmt.Sprintf("(?<%d>", n.group)
		}
		w.group(open, n.subs[0], at)
	default:
		if !w.edge(n, at) {
			w.same = false
			w.backtracking(n)
		}
	}
}

func (w *notation) group(open string, inside *node, at place) {
	w.emit("%s", open)
	w.bare(inside, at)
	w.emit(")")
}

func (w *notation) single(n *node) {
	b, ok := n.literal()
	switch {
	case !ok:
		w.out = n.set.appendTo(w.out)
	case '0' <= b && b <= '9' || isLetter(b):
		w.emit("%c", b)
	default:
		w.emit(`\x%02x`, b)
	}
}

// repeat groups its body if needed. The backtracking engine takes (?>a?)? for (?>a?), but not when there is a capture
// between them.
func (w *notation) repeat(n *node, at place) {
	body := n.subs[0]
	if body.minLength() == 0 { // which of the empty matches comes first, may differ
		w.exact = false
	}
	inside := place{more: at.more}
	switch {
	case body.has(atomic):
		w.next++
		w.group(fmt.Sprintf("(?<%d>", w.next-1), body, inside)
	case body.kind == single:
		w.single(body)
	default:
		w.group("(?:", body, inside)
	}
	switch low, high := n.low, n.high; {
	case low == 0 && high < 0:
		w.emit("*")
	case low == 1 && high < 0:
		w.emit("+")
	case low == 0 && high == 1:
		w.emit("?")
	case high < 0:
		w.emit("{%d,}", low)
	default:
		w.emit("{%d,%d}", low, high)
	}
	if n.lazy {
		w.emit("?")
	}
}

// edge writes what matches between two bytes, unless only the backtracking engine has the same.
func (w *notation) edge(n *node, at place) bool {
	switch {
	case n.kind == textBegin:
		w.emit(`\A`)
	case n.kind == textEnd:
		w.emit(`\z`)
	case n.kind == lineEnd:
		w.emit(`(?m:$)`)
	case !w.linear:
		return false
	case n.kind == lastEnd && at.tail:
		w.emit(`(?:\n?\z)`)
		w.exact = false
	case n.kind == lineBegin && at.more: // Go's is also after a newline that ends the text
		w.emit(`(?m:^)`)
	case n.kind == wordEdge && n.set.isASCII() && n.negated:
		w.emit(`\B`)
	case n.kind == wordEdge && n.set.isASCII():
		w.emit(`\b`)
	default:
		return false
	}
	return true
}

// backtracking writes what only the backtracking engine has. Its own \b would take Latin-1 letters for word characters.
func (w *notation) backtracking(n *node) {
	switch n.kind {
	case lastEnd:
		w.emit(`\Z`)
	case lineBegin:
		w.emit(`(?:\A|(?<=\n)(?!\z))`)
	case wordEdge:
		ahead, notAhead := "(?=", "(?!"
		if n.negated {
			ahead, notAhead = notAhead, ahead
		}
		w.emit(`(?:(?<=%[1]s)%[3]s%[1]s)|(?<!%[1]s)%[2]s%[1]s))`, n.set.appendTo(nil), ahead, notAhead)
	case atomic:
		w.group("(?>", n.subs[0], place{})
	case look:
		w.group("("+n.open, n.subs[0], place{})
	case reference:
		fold := ""
		if n.fold {
			fold = "i"
		}
		w.emit(`(?%s:\k<%d>)`, fold, n.group)
	case condition:
		w.condition(n)
	}
}

func (w *notation) condition(n *node) {
	w.emit("(?")
	switch {
	case n.test == nil:
		w.emit("(%d)", n.group)
	case n.test.kind == look:
		w.unit(n.test, place{})
	default: // a group that is not there
		w.emit("(?!)")
	}
	for i, branch := range n.subs {
		if i > 0 {
			w.emit("|")
		}
		w.bare(branch, place{}) // no choice: that would end the branch
	}
	w.emit(")")
}
