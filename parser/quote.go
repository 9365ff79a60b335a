package parser

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
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
	return mark + printable(s) + more + mark
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

// printable escapes what a terminal would act on or could not show.
func printable(s string) string {
	if plain(s) {
		return s
	}
	var b strings.Builder
	for len(s) > 0 {
		r, size := utf8.DecodeRuneInString(s)
		switch {
		case r == utf8.RuneError && size == 1:
			b.WriteString(`\x` + strconv.FormatUint(uint64(s[0])|0x100, 16)[1:])
		case unicode.IsPrint(r):
			b.WriteRune(r)
		default:
			escaped := strconv.QuoteRune(r)
			b.WriteString(escaped[1 : len(escaped)-1])
		}
		s = s[size:]
	}
	return b.String()
}

func plain(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}
