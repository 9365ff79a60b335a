package docs

import (
	"bytes"
	"go/format"
	"path"
	"testing"
	"unicode/utf8"
)

// Code is as gofmt writes it, and its lines have at most 120 columns, where a tab counts eight.
func TestCodeHasTheUsualForm(t *testing.T) {
	files := 0
	eachText(t, func(name string, text []byte) {
		if path.Ext(name) != ".go" {
			return
		}
		files++
		wide := bytes.ReplaceAll(text, []byte("\t"), []byte("        "))
		for i, line := range bytes.Split(wide, []byte("\n")) {
			if n := utf8.RuneCount(line); n > 120 {
				t.Errorf("%s:%d has %d columns", name, i+1, n)
			}
		}
		// a line that gofmt would write otherwise makes a later change of its file larger
		if formatted, _ := format.Source(text); !bytes.Equal(text, formatted) {
			t.Errorf("%s: gofmt -w writes it otherwise", name)
		}
	})
	if files < 400 {
		t.Errorf("%d files were found", files)
	}
}
