package parser

import (
	"bytes"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Render is String, and below it the line of the source with a caret under the place. The values of
// secrets, and of lines that may hold one, are masked.
func (d Diagnostic) Render(src []byte) string {
	var b strings.Builder
	_ = Diagnostics{d}.Render(&b, src) // a Builder does not fail
	return b.String()
}

// Render writes each diagnostic as Diagnostic.Render has it, one below the other.
func (ds Diagnostics) Render(w io.Writer, src []byte) error {
	source := bytes.Split(bytes.TrimPrefix(src, []byte("\ufeff")), []byte("\n"))
	for _, d := range ds {
		text := d.String() + "\n"
		pos := d.Pos
		if d.cause.Line > 0 {
			pos = d.cause
		}
		if pos.Line > 0 && pos.Line <= len(source) {
			text += excerpt(string(source[pos.Line-1]), pos.Column-1)
		}
		if _, err := io.WriteString(w, text); err != nil {
			return err
		}
	}
	return nil
}

// Of a longer line only the neighbourhood of the caret is shown, in bytes.
const (
	excerptBefore = 60
	excerptBehind = 60
)

// excerpt is a line of the source, masked, and a line with a caret under the byte at offset.
func excerpt(line string, offset int) string {
	line = masked(strings.TrimSuffix(line, "\r"))
	offset = min(max(offset, 0), len(line))
	start, end := 0, len(line)
	if offset > excerptBefore {
		start = runeStart(line, offset-excerptBefore)
	}
	if end > offset+excerptBehind {
		end = runeStart(line, offset+excerptBehind)
	}
	before := strings.Map(visible, line[start:offset])
	behind := strings.Map(visible, line[offset:end])
	caret := strings.Map(func(r rune) rune {
		if r == '\t' {
			return r
		}
		return ' '
	}, before)
	return "  " + before + behind + "\n  " + caret + "^\n"
}

func runeStart(s string, i int) int {
	for i > 0 && i < len(s) && !utf8.RuneStart(s[i]) {
		i--
	}
	return i
}

// visible replaces what a terminal would act on.
func visible(r rune) rune {
	if r == '\t' || unicode.IsPrint(r) {
		return r
	}
	return unicode.ReplacementChar
}

// masked hides the value of a secret. A line without a known directive may be a misspelt secret.
func masked(text string) string {
	l := readLine(1, text)
	if d := byName[l.name]; d != nil && !d.Secret {
		return text
	}
	if l.value >= len(text) {
		return text
	}
	return text[:l.value] + "***"
}
