package parser

import (
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
	if longer := slices.DeleteFunc(slices.Clone(known), func(k string) bool { return !strings.HasPrefix(k, word) }); len(longer) == 1 && len(word) >= minGuessed {
		return longer[0]
	}
	best, least := "", maxDistance+1
	for _, k := range known {
		limit := min(maxDistance, (len(k)-1)/2) // short words have too many neighbours
		if len(word) > len(k)+limit || len(k) > len(word)+limit {
			continue
		}
		if d := distance(word, k); d <= limit && d < least {
			best, least = k, d
		}
	}
	return best
}

// distance counts the letters to insert, delete, replace or swap with their neighbour
// (Damerau-Levenshtein, optimal string alignment). Both words are short.
func distance(a, b string) int {
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last, row = last, row, before
	}
	return last[len(b)]
}
