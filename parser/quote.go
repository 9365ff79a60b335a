package parser

import (
	"strings"

	"ldirectord/printable"
)

// maxQuote limits quotations of the file in messages, in bytes.
const maxQuote = 80

// quote formats a piece of the file for a message: in quotes that do not occur in it, with control characters escaped,
// shortened if it is long.
func quote(s string) string {
	mark := `"`
	if strings.Contains(s, mark) {
		mark = "'"
	}
	start, more := printable.Cut(s, maxQuote)
	return mark + printable.Text(start) + more + mark
}
