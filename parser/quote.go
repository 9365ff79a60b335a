package parser

import (
	"fmt"
	"io"
	"strings"

	"ldirectord/internal/printable"
)

// maxQuote limits quotations of the file in messages, in bytes.
const maxQuote = 80

// say formats a message. %q quotes a piece of the file, as quote does; the texts in args become pieces.
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

// quote formats a piece of the file for a message: in quotes that do not occur in it, with control characters escaped,
// and shortened if it is long.
func quote(s string) string {
	mark := `"`
	if strings.Contains(s, mark) {
		mark = "'"
	}
	start, more := printable.Cut(s, maxQuote)
	return mark + printable.Text(start) + more + mark
}
