package protocol

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// The list of packages to install has every package that a test with real programs needs. Scripts need further ones.
func TestPackagesOfRealServersAreListed(t *testing.T) {
	list, err := os.ReadFile("../../testdata/servers/packages")
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob("../../[^.]*/*/*_test.go")
	if err != nil {
		t.Fatal(err)
	}
	listed, calls := strings.Fields(string(list)), 0
	for _, file := range files {
		source, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, call := range regexp.MustCompile(`needProgram\(t, [^,()]+, "([^"]+)"\)`).FindAllSubmatch(source, -1) {
			calls++
			for _, needed := range strings.Fields(string(call[1])) {
				if !slices.Contains(listed, needed) {
					t.Errorf("%s needs %s, which is not listed", file, needed)
				}
			}
		}
	}
	if calls < 10 {
		t.Errorf("%d calls of needProgram were found", calls)
	}
}
