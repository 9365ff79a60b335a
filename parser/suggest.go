package parser

import (
	"cmp"
	"slices"
	"strings"
)

// maxDistance is how many letters a misspelt word may be away from the right one.
const maxDistance = 2

// DidYouMean offers the nearest of the known words for an unknown one, or says nothing.
func DidYouMean(word string, known []string) string {
	if best := nearest(word, known); best != "" {
		return " (did you mean " + best + "?)"
	}
	return ""
}

// minGuessed is how much of a word there must be for the rest to be guessed.
const minGuessed = 3

// nearest returns the known word that word is the beginning of, if one alone is, else the one that is the fewest
// letters away from it, "" when all are far.
func nearest(word string, known []string) string {
	word = strings.ToLower(word)
	if longer := slices.DeleteFunc(slices.Clone(known),
		func(k string) bool { return !strings.HasPrefix(k, word) }); len(longer) == 1 &&
		len(word) >= minGuessed {
		return longer[0]
	}
	for edits := range maxDistance + 1 {
		best := ""
		for _, k := range known {
			if 2*edits < len(k) && isNear(word, k, edits) { // short words have too many neighbours
				if k[0] == word[0] { // the first letter is seldom wrong
					return k
				}
				best = cmp.Or(best, k)
			}
		}
		if best != "" {
			return best
		}
	}
	return ""
}

// isNear reports whether one word becomes the other when a few letters are inserted, deleted, replaced or swapped with
// their neighbour. Its time grows with the length, and with the number of edits as a power of 4.
func isNear(a, b string, edits int) bool {
	for a != "" && b != "" && a[0] == b[0] {
		a, b = a[1:], b[1:]
	}
	if a == "" || b == "" || edits == 0 {
		return len(a)+len(b) <= edits
	}
	return isNear(a[1:], b, edits-1) || isNear(a, b[1:], edits-1) || isNear(a[1:], b[1:], edits-1) ||
		len(a) > 1 && len(b) > 1 && a[0] == b[1] && a[1] == b[0] && isNear(a[2:], b[2:], edits-1)
}
