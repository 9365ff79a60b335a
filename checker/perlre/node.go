package perlre

import (
	"iter"
	"math/bits"
)

// kind is what a node of the tree is.
type kind uint8

const (
	single    kind = iota // one byte of a set
	sequence              // one after another; none is the empty text
	choice                // the first that leads to a match
	repeat                // low to high times, high -1 without a bound
	capture               // a group that something refers to
	look                  // ahead or backward, negated or not
	atomic                // what matched first is not tried otherwise
	reference             // what a group has matched
	condition             // yes or no, by a test or by whether a group has matched
	textBegin             // \A
	textEnd               // \z
	lastEnd               // \Z: the end, or before a newline that ends the text
	lineBegin             // ^ of (?m): not after a newline that ends the text
	lineEnd               // $ of (?m)
	wordEdge              // \b, or \B when negated: set are the word's characters
)

// node is a part of a pattern. Bytes are all it knows of characters.
type node struct {
	kind      kind
	set       byteSet
	subs      []*node
	low, high int
	lazy      bool
	negated   bool
	open      string // of a look: ?= ?! ?<= ?<!
	fold      bool   // of a reference: in either case
	group     int    // that is captured, referred to, or a condition
	test      *node  // of a condition
	pos       int    // of a repeat's quantifier in the pattern
}

// one is a byte of a set. One of the empty set matches nothing.
func one(set byteSet) *node { return &node{kind: single, set: set} }

// all are the nodes of a tree, each before those in it.
func (n *node) all() iter.Seq[*node] { return func(yield func(*node) bool) { n.visit(yield) } }

func (n *node) visit(yield func(*node) bool) bool {
	if !yield(n) || n.test != nil && !n.test.visit(yield) {
		return false
	}
	for _, sub := range n.subs {
		if !sub.visit(yield) {
			return false
		}
	}
	return true
}

// dropCaptures makes plain groups of those that nothing refers to.
func (n *node) dropCaptures() {
	referred := map[int]bool{}
	for sub := range n.all() {
		if sub.kind == reference || sub.kind == condition && sub.test == nil {
			referred[sub.group] = true
		}
	}
	for sub := range n.all() {
		if sub.kind == capture && !referred[sub.group] {
			*sub = *sub.subs[0]
		}
	}
}

// minLength is the minimum of bytes that a node takes.
func (n *node) minLength() int {
	switch n.kind {
	case single:
		return 1
	case sequence, capture, atomic:
		sum := 0
		for _, sub := range n.subs {
			sum = min(sum+sub.minLength(), maxPattern)
		}
		return sum
	case repeat:
		return min(n.low*n.subs[0].minLength(), maxPattern)
	case choice:
		shortest := maxPattern
		for _, sub := range n.subs {
			shortest = min(shortest, sub.minLength())
		}
		return shortest
	}
	return 0
}

// has reports whether a node of a kind is in the tree.
func (n *node) has(k kind) bool {
	for sub := range n.all() {
		if sub.kind == k {
			return true
		}
	}
	return false
}

// literal is the one byte that a node matches.
func (n *node) literal() (b byte, ok bool) {
	if n.kind != single || n.set.size() != 1 {
		return 0, false
	}
	for i, word := range n.set {
		if word != 0 {
			return byte(i<<6 + bits.TrailingZeros64(word)), true
		}
	}
	return 0, false
}
