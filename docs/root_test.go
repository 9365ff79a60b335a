package docs

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// atTheRoot is what may lie there, besides the packages.
var atTheRoot = strings.Fields(`.ci .gitignore CHANGELOG.md CONTRIBUTING.md LICENSE Makefile NOTICE README.md VERSION
	docs examples go.mod go.sum man packaging testdata tools`)

// The root is what a newcomer sees first. A note that was committed there by accident lay there for weeks.
func TestNothingElseLiesAtTheRoot(t *testing.T) {
	list := exec.Command("git", "-c", "safe.directory=*", "ls-files")
	list.Dir = ".."
	text, err := list.Output()
	if err != nil {
		t.Skip("not a clone, or no git")
	}
	isPackage := map[string]bool{}
	for file := range strings.Lines(string(text)) {
		name, path, _ := strings.Cut(strings.TrimSpace(file), "/")
		isPackage[name] = isPackage[name] || strings.HasSuffix(path, ".go")
	}
	for name := range isPackage {
		if !isPackage[name] && !slices.Contains(atTheRoot, name) {
			t.Errorf("%s lies at the root: remove it, or name it here", name)
		}
	}
}
