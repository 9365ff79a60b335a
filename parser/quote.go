package parser

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// longestQuote bounds what a message repeats of the file, in bytes.
const longestQuote = 80

// quote shows a piece of the file in a message: in double quotes, control characters escaped, cut
// where it is long.
func quote(s string) string {
	if len(s) > longestQuote {
		cut := longestQuote
		for cut > longestQuote-utf8.UTFMax && !utf8.RuneStart(s[cut]) {
			cut--
		}
		return `"` + printable(s[:cut]) + `…"`
	}
	return `"` + printable(s) + `"`
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
