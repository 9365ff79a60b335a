package checker

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// What the tests with real programs need is what gets installed for them.
func TestPackagesOfRealServersAreListed(t *testing.T) {
	list, err := os.ReadFile("../testdata/servers/packages")
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob("../*/*_test.go")
	if err != nil {
		t.Fatal(err)
	}
	var needed []string
	for _, file := range files {
		source, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, call := range regexp.MustCompile(`needProgram\(t, [^,()]+, "([^"]+)"\)`).FindAllSubmatch(source, -1) {
			needed = append(needed, strings.Fields(string(call[1]))...)
		}
	}
	slices.Sort(needed)
	if listed := strings.Fields(string(list)); !slices.Equal(slices.Compact(needed), listed) {
		t.Errorf("listed %q\nneeded %q", listed, needed)
	}
}
