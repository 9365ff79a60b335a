package parser

import (
	"fmt"
	"strings"
	"testing"

	"ldirectord/internal/testkit"
)

// parseOne parses a section with one more line. It returns the section, or the first error.
func parseOne(t *testing.T, header, line string) (*Virtual, *Diagnostic) {
	t.Helper()
	src := header + "\n\t" + line + "\n\tservice=http\n"
	cfg, found := parseWith(t, src, options(t))
	if cfg == nil {
		return nil, &found.Errors()[0]
	}
	return cfg.Virtuals[0], nil
}

func describe(r Real) string {
	text := fmt.Sprintf("%s %s %d", r.Addr.String(), r.Forward, r.Weight)
	if r.Own != nil {
		text += fmt.Sprintf(" %q %q", r.Own.Request, r.Own.Receive)
	}
	if r.hasLower {
		text += fmt.Sprintf(" l:%d", r.Lower)
	}
	if r.hasUpper {
		text += fmt.Sprintf(" u:%d", r.Upper)
	}
	return text
}

func TestRealServers(t *testing.T) {
	for _, row := range testkit.Table(t, "../testdata/parser/real.txt", 3) {
		v, err := parseOne(t, usual[row[0]], row[1])
		got := ""
		if err != nil {
			got = err.Kind
		} else {
			got = strings.Join(each(v.Reals, describe), "; ")
		}
		testkit.Equal(t, got, row[2], row[1])
	}
}
