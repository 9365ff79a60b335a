package parser

import (
	"slices"
	"testing"
)

// Each word in a row of the table has a meaning, and each row has a place.
func TestWordsOfTheTable(t *testing.T) {
	places := []string{"header", "global", "section"}
	others := []string{"extension", "repeats", "secret", "shown-empty", "shown-written", "for-tls", "check"}
	for _, d := range directives {
		found := 0
		for _, word := range d.words {
			_, isForm := forms[word]
			switch {
			case slices.Contains(places, word):
				found++
			case !isForm && !slices.Contains(others, word):
				t.Errorf("%s has the word %q, which means nothing", d.Name, word)
			}
		}
		if found == 0 {
			t.Errorf("%s has %d places", d.Name, found)
		}
	}
}
