package docs

import (
	"bytes"
	"path"
	"regexp"
	"testing"
	"unicode/utf8"
)

// notNarrow is tests, and what only tests have.
var notNarrow = regexp.MustCompile(`^(lab|page/browser|docs)/|_test\.go$`)

// Lines of the program and of tools can be read side by side: at most 120 columns, a tab counting eight.
func TestNoLineOfTheProgramIsWide(t *testing.T) {
	const columns = 120
	files := 0
	eachText(t, func(name string, text []byte) {
		if path.Ext(name) != ".go" || notNarrow.MatchString(name) {
			return
		}
		files++
		for i, line := range bytes.Split(text, []byte("\n")) {
			line = bytes.ReplaceAll(line, []byte("\t"), []byte("        "))
			if n := utf8.RuneCount(line); n > columns {
				t.Errorf("%s:%d has %d columns", name, i+1, n)
			}
		}
	})
	if files < 200 {
		t.Errorf("%d files of the program were found", files)
	}
}
