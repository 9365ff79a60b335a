package director

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// docs/status.md has a row with each kind of condition and its trouble.
func TestDocsKnowTheConditions(t *testing.T) {
	docs, err := os.ReadFile("../docs/status.md")
	if err != nil {
		t.Fatal(err)
	}
	trouble := map[string]string{}
	for _, row := range regexp.MustCompile("(?m)^\\| (`[a-z ,`]+`) \\| (\\w+) \\|").FindAllStringSubmatch(string(docs), -1) {
		for _, name := range strings.Split(row[1], ", ") {
			trouble[strings.Trim(name, "`")] = row[2]
		}
	}
	for _, k := range kinds {
		if trouble[k.name] != k.trouble.String() {
			t.Errorf("docs/status.md has %q for %q, want %q", trouble[k.name], k.name, k.trouble)
		}
	}
}
