package page

import (
	"fmt"
	"html"
	"strings"

	"ldirectord/internal/printable"
)

// markup is text that is already HTML.
type markup string

// fill puts values into an HTML format, and escapes all values except markup. (With html/template the linker would keep
// every method of the program, and the binary would be 4 MB larger.)
func fill(format string, values ...any) markup {
	for i, value := range values {
		if _, is := value.(markup); !is {
			values[i] = html.EscapeString(printable.Line(fmt.Sprint(value)))
		}
	}
	return markup(fmt.Sprintf(format, values...))
}

// when returns the result of fill if a condition is true, and otherwise "".
func when(is bool, format string, values ...any) markup {
	if !is {
		return ""
	}
	return fill(format, values...)
}

// each applies a function to all elements of a list, and joins the results.
func each[T any](list []T, show func(T) markup) markup {
	var b strings.Builder
	for _, one := range list {
		b.WriteString(string(show(one)))
	}
	return markup(b.String())
}
