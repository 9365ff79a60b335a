// Package keepalived reads the virtual servers of a keepalived.conf and writes them as an ldirectord.cf.
package keepalived

import (
	"fmt"
	"regexp"
)

// position is a place in a file. Lines and columns are counted from 1, and columns in bytes.
type position struct {
	file         string
	line, column int
}

// wrong returns an error with the position.
func (p position) wrong(format string, args ...any) error {
	return fmt.Errorf("%s:%d:%d: %s", p.file, p.line, p.column, fmt.Sprintf(format, args...))
}

// word is a word of a line, or a brace. text has no quotes.
type word struct {
	text  string
	raw   string // with its quotes
	at    position
	brace bool
}

// inQuotes matches a quoted text, which may contain quotes escaped by a backslash.
const inQuotes = `"((?:\\[\\"]|[^"[:cntrl:]\x{fffd}])*)"|'((?:\\[\\']|[^'[:cntrl:]\x{fffd}])*)'`

var (
	comment = regexp.MustCompile(`^((?:[^"'#!]|"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')*)[#!].*`)
	token   = regexp.MustCompile(`[{}]|(?:[^\s{}"'[:cntrl:]\x{fffd}]|` + inQuotes + `)+|(\S)`)
	quotes  = regexp.MustCompile(inQuotes)
)

// unquote removes the quotes from all quoted parts of a text.
func unquote(text string) string { return quotes.ReplaceAllString(text, "$1$2") }

// cutComment cuts a line at the first # or ! outside quotes.
func cutComment(line string) string { return comment.ReplaceAllString(line, "$1") }

// split returns the words of a line that begins at a position. Text between quotes belongs to one word, even if it
// contains blanks, braces or backslashes. A brace outside quotes is a word of its own.
func split(line string, at position) (words []word, err error) {
	for _, m := range token.FindAllStringSubmatchIndex(line, -1) {
		text, here := line[m[0]:m[1]], at
		here.column += m[0]
		if m[6] >= 0 {
			return nil, here.wrong("%q is not allowed here: the file must be UTF-8 without "+
				"control characters, and quotes must be closed on their line", text)
		}
		brace := text == "{" || text == "}"
		words = append(words, word{unquote(text), text, here, brace})
	}
	return words, nil
}
