package checker

import (
	"iter"
	"slices"
	"unique"
)

// List is a list that never changes. Two lists are equal (==) if their elements are equal. The zero List is empty.
type List[T comparable] struct{ first unique.Handle[element[T]] }

type element[T comparable] struct {
	value T
	rest  List[T]
}

// ListOf returns a list of the given values.
func ListOf[T comparable](values ...T) (l List[T]) {
	for _, value := range slices.Backward(values) {
		l = List[T]{unique.Make(element[T]{value, l})}
	}
	return l
}

// All iterates over the elements in the order given to ListOf.
func (l List[T]) All() iter.Seq[T] {
	return func(yield func(T) bool) {
		for l != (List[T]{}) {
			e := l.first.Value()
			if !yield(e.value) {
				return
			}
			l = e.rest
		}
	}
}
