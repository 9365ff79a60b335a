package parser

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"testing"

	"ldirectord/internal/testkit"
)

// Operators' files are read as the Perl ldirectord reads them, except for their layout. They may not be published
// here: REAL_CONFIGS names a folder with them.
func TestRealConfigs(t *testing.T) {
	dir := os.Getenv("REAL_CONFIGS")
	if dir == "" {
		t.Skip("REAL_CONFIGS names no folder")
	}
	readme := testkit.Read(t, filepath.Join(dir, "README.md"))
	o := options(t)
	names := o.Resolver.(table)
	for _, name := range []string{"rs1", "rs2", "mail", "g1"} {
		names.hosts[name] = []netip.Addr{netip.MustParseAddr("192.0.2.1")}
	}
	names.ports["daytime"] = []servicePort{{13, "tcp"}}
	rows := regexp.MustCompile(`(?m)^\| (\d\d-\S+\.cf) \|.*\| ([23]) \| ([23]) \| (.*) \|$`).FindAllStringSubmatch(
		readme, -1)
	if len(rows) == 0 {
		t.Fatal("the table of results was not found")
	}
	for _, row := range rows {
		t.Run(row[1], func(t *testing.T) {
			src := testkit.Must(os.ReadFile(filepath.Join(dir, row[1])))(t)
			_, found := parse(t.Context(), row[1], src, o)
			testkit.Equal(t, unlike(found, row[3] == "3", row[4]), "")
			const aScreen = 40
			if brief := found.ByPosition().Brief(); len(brief) >= aScreen || hides(found, brief) != "" {
				t.Errorf("check prints %d lines; %s", len(brief), hides(found, brief))
			}
		})
	}
}

var atLine = regexp.MustCompile(`Error at line (\d+)`)

// unlike describes how diagnostics differ from the Perl ldirectord's result.
func unlike(found Diagnostics, accepted bool, message string) string {
	if accepted {
		if found.HasErrors() {
			return found.Errors()[0].String()
		}
		return ""
	}
	m := atLine.FindStringSubmatch(message)
	if m == nil {
		return "no line in " + message
	}
	line, _ := strconv.Atoi(m[1])
	here := func(d Diagnostic) bool { return int(d.Pos.Line) == line && (d.Severity == Error || d.Kind == layout) }
	if !slices.ContainsFunc(found, here) {
		return fmt.Sprintf("nothing at line %d, where the Perl ldirectord says %q", line, message)
	}
	return ""
}
