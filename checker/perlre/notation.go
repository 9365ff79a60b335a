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
	case sequence, choice:
		w.group("(?:", n, at)
	case capture:
		w.capture(n, at)
	case repeat:
		w.repeat(n, at)
	case textBegin:
		w.emit(`\A`)
	case textEnd:
		w.emit(`\z`)
	case lineEnd:
		w.emit(`(?m:$)`)
	case lastEnd, lineBegin, wordEdge:
		w.edge(n, at)
	default:
		w.backtracking(n)
	}
}

func (w *notation) group(open string, inside *node, at place) {
	w.emit("%s", open)
	w.bare(inside, at)
	w.emit(")")
}

func (w *notation) capture(n *node, at place) {
	if w.linear {
		w.group("(?:", n.subs[0], at)
		return
	}
	w.group(fmt.Sprintf("(?<%d>", n.group), n.subs[0], at)
}

func (w *notation) single(n *node) {
	if b, ok := n.literal(); ok {
		w.out = appendLiteral(w.out, b)
		return
	}
	w.out = n.set.appendTo(w.out)
}

func appendLiteral(out []byte, c byte) []byte {
	if '0' <= c && c <= '9' || isLetter(c) {
		return append(out, c)
	}
	return fmt.Appendf(out, `\x%02x`, c)
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
	w.out = appendQuantifier(w.out, n)
}

func appendQuantifier(out []byte, n *node) []byte {
	switch low, high := n.low, n.high; {
	case low == 0 && high < 0:
		out = append(out, '*')
	case low == 1 && high < 0:
		out = append(out, '+')
	case low == 0 && high == 1:
		out = append(out, '?')
	case high < 0:
		out = fmt.Appendf(out, "{%d,}", low)
	default:
		out = fmt.Appendf(out, "{%d,%d}", low, high)
	}
	if n.lazy {
		out = append(out, '?')
	}
	return out
}

// edge writes what matches between two bytes. Where the linear engine has nothing that is the same, the notation of the
// other one is written.
func (w *notation) edge(n *node, at place) {
	word, _ := posixSet("word", false)
	switch {
	case w.linear && n.kind == lastEnd && at.tail:
		w.emit(`(?:\n?\z)`)
		w.exact = false
	case w.linear && n.kind == lineBegin && at.more: // Go's is also after a newline that ends the text
		w.emit(`(?m:^)`)
	case w.linear && n.kind == wordEdge && n.set == word && n.negated:
		w.emit(`\B`)
	case w.linear && n.kind == wordEdge && n.set == word:
		w.emit(`\b`)
	default:
		w.backtracking(n)
	}
}

// backtracking writes what only the backtracking engine has.
func (w *notation) backtracking(n *node) {
	w.same = false
	switch n.kind {
	case lastEnd:
		w.emit(`\Z`)
	case lineBegin:
		w.emit(`(?:\A|(?<=\n)(?!\z))`)
	case wordEdge:
		w.wordEdge(n)
	case atomic:
		w.group("(?>", n.subs[0], place{})
	case look:
		w.group("("+n.open, n.subs[0], place{})
	case reference:
		w.reference(n)
	case condition:
		w.condition(n)
	}
}

func (w *notation) reference(n *node) {
	if n.fold {
		w.emit(`(?i:\k<%d>)`, n.group)
		return
	}
	w.emit(`\k<%d>`, n.group)
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

// wordEdge looks around: the engine's own \b would take Latin-1 letters for word characters.
func (w *notation) wordEdge(n *node) {
	set := n.set.appendTo(nil)
	if n.negated {
		w.emit(`(?:(?<=%[1]s)(?=%[1]s)|(?<!%[1]s)(?!%[1]s))`, set)
		return
	}
	w.emit(`(?:(?<=%[1]s)(?!%[1]s)|(?<!%[1]s)(?=%[1]s))`, set)
}
