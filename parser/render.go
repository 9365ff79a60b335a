package parser

import (
	"bytes"
	"regexp"
	"strings"
	"unicode"

	"ldirectord/internal/printable"
)

// Render returns the text of String, followed by the line of the file and a caret under the position. It masks values
// that are or may be secret.
func (d Diagnostic) Render(src []byte) string {
	text := d.String() + "\n"
	at := d.At()
	src = bytes.TrimPrefix(partText(src, at.File), []byte(ByteOrderMark))
	for range at.Line - 1 {
		_, src, _ = bytes.Cut(src, []byte("\n"))
	}
	if at.Line == 0 || len(src) == 0 {
		return text
	}
	line, _, _ := bytes.Cut(src, []byte("\n"))
	return text + excerpt(string(line), int(at.Column)-1)
}

// maxBeside is the maximum length of the text that is shown on each side of the caret, in bytes.
const maxBeside = 60

// excerpt returns a line of the file with secrets masked, and a second line with a caret under the byte at offset.
func excerpt(line string, offset int) string {
	line = masked(strings.TrimSuffix(line, "\r"))
	offset = min(max(offset, 0), len(line))
	before := line[:offset]
	if len(before) > maxBeside {
		before = "…" + before[printable.CharStart(before, len(before)-maxBeside):]
	}
	after, more := printable.Cut(line[offset:], maxBeside)
	before, after = strings.Map(visible, before), strings.Map(visible, after+more)
	return "  " + before + after + "\n  " + notTab.ReplaceAllLiteralString(before, " ") + "^\n"
}

// notTab matches the characters that are replaced by blanks in the line of the caret.
var notTab = regexp.MustCompile(`[^\t]`)

// visible replaces a character that can't be printed, except for a tab, with one that can.
func visible(r rune) rune {
	if r == '\t' || unicode.IsPrint(r) {
		return r
	}
	return unicode.ReplacementChar
}

// masked hides the value of a secret directive. It also hides the value of an unknown directive that resembles a secret
// one or none at all.
func masked(text string) string {
	l := readLine("", 1, text)
	d := byName[l.name]
	if d == nil {
		d = byName[nearest(l.name, directiveNames)]
	}
	if d != nil && !d.Secret || l.value >= len(text) {
		return text
	}
	return text[:l.value] + "***"
}
