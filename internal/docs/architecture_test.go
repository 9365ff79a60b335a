package docs

import (
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"ldirectord/internal/testkit"
)

// Each path in architecture.md exists. A file without a folder is in a folder that the same line names before.
func TestThePathsOfArchitectureExist(t *testing.T) {
	code := regexp.MustCompile("`([a-z][\\w./*-]*)`")
	paths := 0
	for line := range strings.Lines(testkit.Read(t, "../../docs/architecture.md")) {
		folders := []string{""}
		for _, m := range code.FindAllStringSubmatch(line, -1) {
			name := strings.TrimSuffix(m[1], "/")
			switch {
			// a placeholder, a file that is built
			case strings.Contains(name, "PROTOCOL"), strings.HasPrefix(name, "build/"):
			case strings.Contains(m[1], "/"):
				if !exists(name) {
					t.Errorf("architecture.md names %s, which is not there", name)
				}
				folders = append(folders, name, path.Dir(name))
				paths++
			case path.Ext(name) == ".go":
				if !slices.ContainsFunc(folders,
					func(folder string) bool { return exists(path.Join(folder, name)) }) {
					t.Errorf("architecture.md names %s, which is in none of %q", name, folders)
				}
				paths++
			case exists(name):
				folders = append(folders, name)
			}
		}
	}
	if paths < 50 {
		t.Errorf("architecture.md names %d paths: is it read?", paths)
	}
}

// exists reports whether a path, which may have a *, exists in the tree.
func exists(name string) bool {
	found, err := filepath.Glob(filepath.Join("../..", name))
	return err == nil && len(found) > 0
}

// Each folder with Go files has a row in architecture.md's table of packages, and each row has such a folder.
func TestArchitectureNamesEveryPackage(t *testing.T) {
	var named, there []string
	for _, row := range regexp.MustCompile("(?m)^\\| `([^`]+)` \\|").FindAllStringSubmatch(packages(t), -1) {
		named = append(named, row[1])
	}
	eachText(t, func(name string, _ []byte) {
		if path.Ext(name) == ".go" && !slices.Contains(there, path.Dir(name)) {
			there = append(there, path.Dir(name))
		}
	})
	sameNames(t, "the packages of architecture.md", named, there)
}

// packages is architecture.md's table of packages.
func packages(t *testing.T) string {
	_, table, _ := strings.Cut(testkit.Read(t, "../../docs/architecture.md"), "\n## Packages\n")
	table, _, _ = strings.Cut(table, "\n## ")
	return table
}
