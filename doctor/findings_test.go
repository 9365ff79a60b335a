package doctor

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// Every finding that the code names has a row, and every row has a severity, a text and a place in the code.
func TestEveryFindingHasARow(t *testing.T) {
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	var code strings.Builder
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasSuffix(name, "_test.go") {
			code.Write(text)
		}
	}
	naming := regexp.MustCompile(`(?:tell\(|finding\(|addAt\([^,]*, )"([a-z -]+)"`)
	for _, found := range naming.FindAllStringSubmatch(code.String(), -1) {
		if _, known := rows[found[1]]; !known {
			t.Errorf("findings.txt has no %s", found[1])
		}
	}
	if len(rows) < 60 {
		t.Errorf("only %d rows are read", len(rows))
	}
	for name, r := range rows {
		if !slices.Contains([]string{broken, warning, note, refused}, r.severity) || r.text == "" {
			t.Errorf("%s: %+v", name, r)
		}
		kind, which, _ := strings.Cut(name, " ")
		inCode := strings.Contains(code.String(), `"`+name+`"`) || slices.Contains([]string{"unchecked", "mh", "sh", "mail"}, which)
		if !inCode || !strings.Contains(code.String(), `"`+kind) {
			t.Errorf("no code names %s", name)
		}
	}
}
