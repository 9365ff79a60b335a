package checker

import (
	"strconv"
	"unicode/utf8"

	"ldirectord/printable"
)

// maxExcerpt bounds what is shown of a server's words, in bytes.
const maxExcerpt = 60

// excerpt quotes the beginning of what a server sent, with everything escaped that is not printable.
func excerpt(said []byte) string {
	if len(said) <= maxExcerpt {
		return strconv.Quote(string(said))
	}
	return strconv.Quote(string(said[:wholeRunes(said, maxExcerpt)])) + "…"
}

// escape makes text safe for a log line, and cuts it to limit bytes before that.
func escape(text string, limit int) string {
	more := ""
	if len(text) > limit {
		text, more = text[:wholeRunes([]byte(text), limit)], "…"
	}
	return printable.Text(text) + more
}

// wholeRunes returns the length of at most limit bytes that end with a whole rune.
func wholeRunes(b []byte, limit int) int {
	for cut := limit; cut > limit-utf8.UTFMax; cut-- {
		if utf8.RuneStart(b[cut]) {
			return cut
		}
	}
	return limit
}
