package perlre

import (
	"regexp"
	"regexp/syntax"
)

// maxProgram bounds a program for the engine of linear time, in instructions: its time is linear in them as well.
const maxProgram = 4 << 10

// linear is a pattern for the engine of linear time.
type linear struct {
	re     *regexp.Regexp
	weight int  // how much each byte of a text may cost: instructions
	exact  bool // not only whether, but where it matches is the same
}

// newLinear compiles a tree for Go's own engine, if it means the same there to the last byte; else it is nil.
// The texts it is given have one rune per byte.
func newLinear(tree *node) *linear {
	w := linearNotation{same: true, exact: true}
	w.bare(tree, place{tail: true})
	if !w.same {
		return nil
	}
	parsed, err := syntax.Parse(string(w.out), syntax.Perl)
	if err != nil { // it repeats more often than the engine allows
		return nil
	}
	program, err := syntax.Compile(parsed.Simplify())
	if err != nil || len(program.Inst) > maxProgram {
		return nil
	}
	return &linear{re: regexp.MustCompile(string(w.out)), weight: len(program.Inst), exact: w.exact}
}

// place is what follows a node on the way to the end of a match.
type place struct {
	tail bool // nothing
	more bool // surely a byte
}

// linearNotation writes a tree for the engine of linear time, as long as that is the same.
type linearNotation struct {
	out         []byte
	same, exact bool
}

func (w *linearNotation) emit(s string) { w.out = append(w.out, s...) }

func (w *linearNotation) bare(n *node, at place) {
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

func (w *linearNotation) sequence(subs []*node, at place) {
	sure := -1 // the last that takes a byte
	for i, sub := range subs {
		if sub.shortest() > 0 {
			sure = i
		}
	}
	for i, sub := range subs {
		if w.unit(sub, place{tail: at.tail && i == len(subs)-1, more: at.more || i < sure}); !w.same {
			return
		}
	}
}

func (w *linearNotation) unit(n *node, at place) {
	switch n.kind {
	case single:
		if b, ok := n.literal(); ok {
			w.out = appendLiteral(w.out, b)
			return
		}
		w.out = n.set.appendTo(w.out, `[^\x00-\x{10ffff}]`)
	case sequence, choice:
		w.group(n, at)
	case capture:
		w.group(n.subs[0], at)
	case repeat:
		w.repeat(n, at)
	case textBegin:
		w.emit(`\A`)
	case textEnd:
		w.emit(`\z`)
	case lineEnd:
		w.emit(`(?m:$)`)
	default:
		w.edge(n, at)
	}
}

// edge writes what is the same in some places only.
func (w *linearNotation) edge(n *node, at place) {
	word, _ := posixSet("word", false)
	switch {
	case n.kind == lastEnd && at.tail:
		w.emit(`(?:\n?\z)`)
		w.exact = false
	case n.kind == lineBegin && at.more: // Go's is also after a newline that ends the text
		w.emit(`(?m:^)`)
	case n.kind == wordEdge && n.set == word && n.negated:
		w.emit(`\B`)
	case n.kind == wordEdge && n.set == word:
		w.emit(`\b`)
	default:
		w.same = false
	}
}

func (w *linearNotation) group(n *node, at place) {
	w.emit("(?:")
	w.bare(n, at)
	w.emit(")")
}

func (w *linearNotation) repeat(n *node, at place) {
	body := n.subs[0]
	if body.shortest() == 0 { // which of the empty matches comes first, may differ
		w.exact = false
	}
	w.group(body, place{more: at.more})
	w.out = appendQuantifier(w.out, n)
}
