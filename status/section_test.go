package status

import (
	"os"
	"strings"
	"testing"
)

// docs/status.md has a row with each kind of condition of a virtual service, and its trouble.
func TestDocsKnowTheConditionsOfServices(t *testing.T) {
	docs, err := os.ReadFile("../docs/status.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range sectionKinds {
		if row := "\n| `" + k.name + "` | " + k.trouble.String() + " | "; !strings.Contains(string(docs), row) {
			t.Errorf("docs/status.md has no row %q", row)
		}
	}
}
