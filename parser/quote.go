package parser

import (
	"strings"
	"unicode/utf8"

	"ldirectord/printable"
)

// longestQuote bounds what a message repeats of the file, in bytes.
const longestQuote = 80

// quote shows a piece of the file in a message: in quotes that it does not hold itself, control
// characters escaped, cut where it is long.
func quote(s string) string {
	mark, more := `"`, ""
	if strings.Contains(s, mark) {
		mark = "'"
	}
	if len(s) > longestQuote {
		s, more = s[:runeStart(s, longestQuote)], "…"
	}
	return mark + printable.Text(s) + more + mark
}

// runeStart is the start of the character that the byte at i belongs to.
func runeStart(s string, i int) int {
	for start := i; start > i-utf8.UTFMax && start > 0; start-- {
		if utf8.RuneStart(s[start]) {
			return start
		}
	}
	return i
}
