package docs

import (
	"bytes"
	"path"
	"strings"
	"testing"
	"unicode/utf8"
)

// The lines of the program and of tools have at most 120 columns, where a tab counts eight.
func TestNoLineOfTheProgramIsWide(t *testing.T) {
	const columns = 120
	files := 0
	eachText(t, func(name string, text []byte) {
		if path.Ext(name) != ".go" || strings.HasSuffix(name, "_test.go") {
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
