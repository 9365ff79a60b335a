package perlre

import "fmt"

// notation writes a tree for the backtracking engine, which is given one rune per byte.
type notation struct {
	out  []byte
	next int // number of the next group of our own
}

func backtrackingNotation(tree *node, groups int) string {
	w := notation{next: groups + 1}
	w.bare(tree)
	return string(w.out)
}

func (w *notation) emit(format string, values ...any) { w.out = fmt.Appendf(w.out, format, values...) }

// bare writes what stands in a group, or is the whole pattern.
func (w *notation) bare(n *node) {
	switch n.kind {
	case sequence:
		for _, sub := range n.subs {
			w.unit(sub)
		}
	case choice:
		for i, sub := range n.subs {
			if i > 0 {
				w.emit("|")
			}
			w.bare(sub)
		}
	default:
		w.unit(n)
	}
}

// unit writes one thing of a sequence.
func (w *notation) unit(n *node) {
	switch n.kind {
	case single:
		w.single(n)
	case sequence, choice:
		w.group("(?:", n)
	case repeat:
		w.repeat(n)
	case capture:
		w.group(fmt.Sprintf("(?<%d>", n.group), n.subs[0])
	case atomic:
		w.group("(?>", n.subs[0])
	case look:
		w.group(lookOpening(n), n.subs[0])
	case reference:
		w.reference(n)
	case condition:
		w.condition(n)
	case textBegin:
		w.emit(`\A`)
	case textEnd:
		w.emit(`\z`)
	case lastEnd:
		w.emit(`\Z`)
	case lineBegin:
		w.emit(`(?:\A|(?<=\n)(?!\z))`)
	case lineEnd:
		w.emit(`(?=\n|\z)`)
	case wordEdge:
		w.wordEdge(n)
	}
}

func (w *notation) group(open string, inside *node) {
	w.emit("%s", open)
	w.bare(inside)
	w.emit(")")
}

func (w *notation) single(n *node) {
	if b, ok := n.literal(); ok {
		w.out = appendLiteral(w.out, b)
		return
	}
	w.out = n.set.appendTo(w.out, `(?!)`)
}

func appendLiteral(out []byte, c byte) []byte {
	if '0' <= c && c <= '9' || isLetter(c) {
		return append(out, c)
	}
	return fmt.Appendf(out, `\x%02x`, c)
}

// repeat puts what is no single thing to the engine into a group first. The engine takes (?>a?)? for (?>a?),
// but not when there is a capture between them.
func (w *notation) repeat(n *node) {
	switch body := n.subs[0]; {
	case body.has(atomic):
		w.next++
		w.group(fmt.Sprintf("(?<%d>", w.next-1), body)
	case body.kind == single && body.set.size() > 0:
		w.single(body)
	default:
		w.group("(?:", body)
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

func lookOpening(n *node) string {
	open := "(?"
	if n.backward {
		open += "<"
	}
	if n.negated {
		return open + "!"
	}
	return open + "="
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
	if n.test != nil {
		w.test(n.test)
	} else {
		w.emit("(%d)", n.group)
	}
	for i, branch := range n.subs {
		if i > 0 {
			w.emit("|")
		}
		w.branch(branch)
	}
	w.emit(")")
}

func (w *notation) test(n *node) {
	if n.kind == look {
		w.unit(n)
		return
	}
	w.emit("(?!)")
}

// branch keeps an alternation from ending a conditional's branch.
func (w *notation) branch(n *node) {
	if n.kind == choice {
		w.unit(n)
		return
	}
	w.bare(n)
}

// wordEdge looks around: the engine's own \b would take Latin-1 letters for word characters.
func (w *notation) wordEdge(n *node) {
	set := n.set.appendTo(nil, "")
	if n.negated {
		w.emit(`(?:(?<=%[1]s)(?=%[1]s)|(?<!%[1]s)(?!%[1]s))`, set)
		return
	}
	w.emit(`(?:(?<=%[1]s)(?!%[1]s)|(?<!%[1]s)(?=%[1]s))`, set)
}
