package parser

import (
	"regexp"
	"slices"
	"strings"
)

// This file reads the arguments of external checks.

// placeholders are the texts in checkargs that are replaced by values.
var placeholders = []string{"{address}", "{port}", "{virtual}", "{virtualport}", "{name}"}

var braced = regexp.MustCompile(`\{[^{}\s]*\}`)

// readCheckArgs reads words. A part of a word in double quotes may contain blanks.
func readCheckArgs(v *value) string {
	text := optionallyQuoted(v)
	for _, found := range braced.FindAllString(text, -1) {
		if at := "{" + strings.ToLower(found[1:len(found)-1]) + "}"; !slices.Contains(placeholders, found) {
			v.wrong("%q is not known%s; the placeholders are %s", found, DidYouMean(at, placeholders),
				Enumerate(placeholders)).part = found
		}
	}
	if strings.Contains(text, `\"`) {
		v.warn(suspicious, "a backslash is taken as part of the word; double quotes inside need no backslash")
	}
	if strings.Count(text, `"`)%2 != 0 {
		v.wrong("a double quote is not closed; a word with blanks needs one at each end")
	}
	return v.notEmpty(text, `words such as "-H {address} -p {port}"`)
}

// argument matches a word, which consists of parts without blanks and parts in double quotes.
var argument = regexp.MustCompile(`(?:[^\s"]|"[^"]*")+`)

// Arguments returns the words of checkargs, with the given values in place of the placeholders.
func (v *Virtual) Arguments(address, port, virtual, virtualPort, name string) []string {
	values := strings.NewReplacer("{address}", address, "{port}", port, "{virtual}", virtual,
		"{virtualport}", virtualPort, "{name}", name, `"`, "")
	return each(argument.FindAllString(v.CheckArgs, -1), values.Replace)
}
