package perlre

import "bytes"

// needs are texts that every match contains, one after another: what lacks one of them does not match.
type needs [][]byte

// in reports whether a text has them all, in their order.
func (all needs) in(text []byte) bool {
	for _, need := range all {
		at := bytes.Index(text, need)
		if at < 0 {
			return false
		}
		text = text[at+len(need):]
	}
	return true
}

// needsOf finds what every match of a tree contains. It is plain when that is all there is to a match.
func needsOf(tree *node) (found needs, plain bool) {
	f := needFinder{plain: true}
	f.visit(tree)
	f.end()
	return f.found, f.plain
}

type needFinder struct {
	found needs
	run   []byte // bytes that follow each other
	plain bool
}

func (f *needFinder) end() {
	if len(f.run) > 0 {
		f.found, f.run = append(f.found, f.run), nil
	}
}

func (f *needFinder) visit(n *node) {
	b, isByte := n.literal()
	f.plain = f.plain && (isByte || n.kind == sequence)
	switch n.kind {
	case sequence, capture, atomic:
		for _, sub := range n.subs {
			f.visit(sub)
		}
	case repeat:
		f.end()
		if n.low > 0 {
			f.visit(n.subs[0])
			f.end()
		}
	case single:
		if isByte {
			f.run = append(f.run, b)
			return
		}
		f.end()
	case choice, reference, condition:
		f.end()
	}
}
