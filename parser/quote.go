package parser

import (
	"strings"

	"ldirectord/printable"
)

// maxQuote bounds what a message repeats of the file, in bytes.
const maxQuote = 80

// quote shows a piece of the file in a message: in quotes that it does not hold itself, control
// characters escaped, cut where it is long.
func quote(s string) string {
	mark := `"`
	if strings.Contains(s, mark) {
		mark = "'"
	}
	start, more := printable.Cut(s, maxQuote)
	return mark + printable.Text(start) + more + mark
}
