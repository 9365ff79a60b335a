package parser

import (
	"fmt"
	"io"
	"strings"

	"ldirectord/internal/printable"
)

// maxQuote is the maximum length of a quotation from the file in a message, in bytes.
const maxQuote = 80

// say formats a message. Strings in args are pieces of the file, which %q formats with quote.
func say(format string, args ...any) string {
	for i, arg := range args {
		if text, ok := arg.(string); ok {
			args[i] = piece(text)
		}
	}
	return fmt.Sprintf(format, args...)
}

type piece string

func (p piece) Format(w fmt.State, verb rune) {
	text := string(p)
	if verb == 'q' {
		text = quote(text)
	}
	io.WriteString(w, text)
}

// quote formats a piece of the file for a message. If possible, it encloses the piece in quotes that do not occur in
// it. It escapes control characters, and shortens a long piece.
func quote(s string) string {
	mark := `"`
	if strings.Contains(s, mark) {
		mark = "'"
	}
	start, more := printable.Cut(s, maxQuote)
	return mark + printable.Text(start) + more + mark
}
