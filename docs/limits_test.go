package docs

import (
	"io/fs"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// A type has at most 25 methods, and a struct at most 25 lines of fields. The exceptions have a field for each
// directive. They may become smaller, and there may be no further ones.
func TestTypesAreSmall(t *testing.T) {
	larger := map[string]int{
		"checker.Spec lines of fields":   38,
		"parser.Virtual lines of fields": 58,
	}
	size := exec.Command("go", "run", "./size", "..")
	size.Dir = "../tools"
	out, err := size.CombinedOutput()
	if err != nil {
		t.Fatalf("counting: %v: %s", err, out)
	}
	if !regexp.MustCompile(`(?m)^ +\d+ tokens$`).Match(out) {
		t.Fatalf("nothing is counted: %s", out)
	}
	for _, m := range regexp.MustCompile(`(?m)^(\S+) has (\d+) (methods|lines of fields)$`).FindAllSubmatch(out, -1) {
		name := string(m[1]) + " " + string(m[3])
		n, err := strconv.Atoi(string(m[2]))
		if most := larger[name]; err != nil || n > most {
			t.Errorf("%s: %d, of at most %d", name, n, max(most, 25))
		}
		delete(larger, name)
	}
	for name := range larger {
		t.Errorf("%s: there are at most 25: it is no exception any more", name)
	}
}

// A folder has at most 40 files of product code: more would be several subjects.
func TestFoldersAreSmall(t *testing.T) {
	files := map[string]int{}
	err := filepath.WalkDir("..", func(path string, _ fs.DirEntry, err error) error {
		if strings.HasSuffix(path, ".go") && !strings.HasSuffix(path, "_test.go") {
			files[filepath.Dir(path)]++
		}
		return err
	})
	if err != nil || len(files) == 0 {
		t.Fatalf("%d folders: %v", len(files), err)
	}
	for folder, n := range files {
		if n > 40 {
			t.Errorf("%s: %d files", folder, n)
		}
	}
}
