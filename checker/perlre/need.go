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

// needsOf finds what every match of a tree contains.
func needsOf(tree *node) needs {
	var f needFinder
	f.visit(tree)
	f.end()
	return f.found
}

type needFinder struct {
	found needs
	run   []byte // bytes that follow each other
}

func (f *needFinder) end() {
	if len(f.run) > 0 {
		f.found, f.run = append(f.found, f.run), nil
	}
}

func (f *needFinder) visit(n *node) {
	switch n.kind {
	case single:
		if b, ok := n.literal(); ok {
			f.run = append(f.run, b)
			return
		}
		f.end()
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
	case choice, reference, condition:
		f.end()
	}
}

// plain is the text of a tree that is nothing but text.
func plain(tree *node) (text []byte, ok bool) {
	if tree.kind != sequence {
		b, ok := tree.literal()
		return []byte{b}, ok
	}
	for _, sub := range tree.subs {
		part, ok := plain(sub)
		if !ok {
			return nil, false
		}
		text = append(text, part...)
	}
	return text, true
}
