package docs

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// atTheRoot is what may lie there.
var atTheRoot = strings.Fields(`.ci .gitignore CHANGELOG.md CONTRIBUTING.md LICENSE Makefile NOTICE README.md
	SECURITY.md VERSION checker cmd docs examples go.mod go.sum internal ipvsctl packaging parser testdata tools`)

// The root is what a newcomer sees first. A note that was committed there by accident lay there for weeks.
func TestNothingElseLiesAtTheRoot(t *testing.T) {
	list := exec.Command("git", "-c", "safe.directory=*", "ls-files")
	list.Dir = "../.."
	text, err := list.Output()
	if err != nil {
		t.Skip("not a clone, or no git")
	}
	var found []string
	for file := range strings.Lines(string(text)) {
		name, _, _ := strings.Cut(strings.TrimSpace(file), "/")
		found = append(found, name)
	}
	sameNames(t, "what lies at the root", slices.Compact(found), atTheRoot)
}
