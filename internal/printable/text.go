// Package printable escapes text from servers, files and programs, so that a terminal executes no control sequence in
// it. It also quotes words for the shell, cuts long texts, and groups items that are alike.
package printable

import (
	"bufio"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Text escapes unprintable characters as Go string literals do. Unprintable characters include control characters (also
// the 8-bit ones that terminals obey), marks that change the text direction, line separators, and bytes that are not
// valid UTF-8.
func Text(s string) string { return escaped(s, "") }

// escaped escapes as Text does, but leaves the characters of keep as they are.
func escaped(s, keep string) string {
	if !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r > '~' }) {
		return s // nearly every text
	}
	var b strings.Builder
	for len(s) > 0 {
		r, size := utf8.DecodeRuneInString(s)
		if (unicode.IsPrint(r) || strings.ContainsRune(keep, r)) && (r != utf8.RuneError || size > 1) {
			b.WriteString(s[:size])
		} else {
			quoted := strconv.Quote(s[:size])
			b.WriteString(quoted[1 : len(quoted)-1])
		}
		s = s[size:]
	}
	return b.String()
}

// Line escapes as Text does, except that ASCII control characters become blanks.
func Line(s string) string {
	line := []byte(s)
	for i, c := range line {
		if c < ' ' || c == 0x7f {
			line[i] = ' '
		}
	}
	return Text(string(line))
}

// Writer escapes as Text does, but leaves newlines and tabs as they are. No character may be split between two calls of
// Write.
type Writer struct{ To *bufio.Writer }

func (w Writer) Write(text []byte) (int, error) {
	_, err := w.To.WriteString(escaped(string(text), "\n\t"))
	return len(text), err
}

// Flush writes the buffered text.
func (w Writer) Flush() error { return w.To.Flush() }

// Cut returns at most the first max bytes of a text, and never ends in the middle of a character. It also returns "…"
// if the text is longer.
func Cut(s string, max int) (start, more string) {
	if len(s) <= max {
		return s, ""
	}
	return s[:CharStart(s, max)], "…"
}

// CharStart returns the start of the character to which the byte at i belongs. If none of the four bytes up to and
// including that one can begin a character, the text is not UTF-8, and CharStart returns i.
func CharStart(s string, i int) int {
	for start := i; start > max(i-utf8.UTFMax, -1); start-- {
		if utf8.RuneStart(s[start]) {
			return start
		}
	}
	return i
}
