// Package printable escapes text from servers, files and programs, so that a terminal executes no control sequence in
// it.
package printable

import (
	"bufio"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Text escapes what is not printable, as Go does in a string: control characters, among them the terminals' eight-bit
// ones, marks that turn the direction of writing, separators of lines, and bytes that are not UTF-8.
func Text(s string) string { return escaped(s, "") }

// escaped is Text, with the characters of keep as they are.
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

// Line is Text on one line: the control characters of ASCII become blanks.
func Line(s string) string {
	line := []byte(s)
	for i, c := range line {
		if c < ' ' || c == 0x7f {
			line[i] = ' '
		}
	}
	return Text(string(line))
}

// Writer writes as Text does, but new lines and tabs as they are. Each call has whole characters.
type Writer struct{ To *bufio.Writer }

func (w Writer) Write(text []byte) (int, error) {
	_, err := w.To.WriteString(escaped(string(text), "\n\t"))
	return len(text), err
}

// Flush writes what was buffered.
func (w Writer) Flush() error { return w.To.Flush() }

// Cut is the beginning of a text, at most max bytes of it, and "…" if there is more. It ends with a whole character.
func Cut(s string, max int) (start, more string) {
	if len(s) <= max {
		return s, ""
	}
	return s[:CharStart(s, max)], "…"
}

// CharStart is where the character starts that the byte at i belongs to; i itself where the text is not UTF-8.
func CharStart(s string, i int) int {
	for start := i; start > max(i-utf8.UTFMax, 0); start-- {
		if utf8.RuneStart(s[start]) {
			return start
		}
	}
	return i
}
