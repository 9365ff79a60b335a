package parser

import (
	"cmp"
	"slices"
	"strings"
)

// maxDistance is the maximum number of wrong letters in a misspelt word.
const maxDistance = 2

// DidYouMean suggests the known word nearest to an unknown one, or returns "".
func DidYouMean(word string, known []string) string {
	if best := nearest(word, known); best != "" {
		return " (did you mean " + best + "?)"
	}
	return ""
}

// minGuessed is the minimum length of an incomplete word for which a longer word is suggested.
const minGuessed = 3

// nearest returns the known word that starts with word, if there is exactly one. Otherwise it returns the known word
// that differs in the fewest letters, or "" if no word is near.
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

// isNear reports whether at most the given number of edits turns one word into the other. An edit inserts, deletes or
// replaces a letter, or swaps two neighbours. The time grows with the length of the words, and each further edit
// multiplies it by 4.
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
