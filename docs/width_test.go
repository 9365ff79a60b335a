package docs

import (
	"bytes"
	"path"
	"regexp"
	"testing"
	"unicode/utf8"
)

// notProgram are the folders of Go that the program does not have, and tests.
var notProgram = regexp.MustCompile(
	`^(cmd/conformance|examples|lab|packaging|testdata|page/browser|docs)/|_test\.go$`)

// Lines of the program can be read side by side: at most 120 columns, a tab counting eight.
func TestNoLineOfTheProgramIsWide(t *testing.T) {
	const columns = 120
	files := 0
	eachText(t, func(name string, text []byte) {
		if path.Ext(name) != ".go" || notProgram.MatchString(name) {
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
