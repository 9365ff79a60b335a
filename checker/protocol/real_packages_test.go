package protocol

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"ldirectord/internal/testkit"
)

// The list of packages to install has every package that a test with real programs needs. Scripts need further ones.
func TestPackagesOfRealServersAreListed(t *testing.T) {
	list := testkit.Read(t, "../../testdata/servers/packages")
	listed, calls := strings.Fields(list), 0
	for _, file := range testkit.Files(t, "../../[^.]*/*/*_test.go") {
		source := testkit.Must(os.ReadFile(file))(t)
		for _, call := range regexp.MustCompile(`needProgram\(t, [^,()]+, "([^"]+)"\)`).FindAllSubmatch(source,
			-1) {
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
