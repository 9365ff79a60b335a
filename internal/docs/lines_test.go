package docs

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"ldirectord/internal/testkit"
)

// commandLine is a line in a document that a reader may type: indented, and beginning with one of these words.
var commandLine = regexp.MustCompile(`(?m)^ {4,}(?:\$ )?((?:sudo ` +
	`)?(?:make|curl|systemctl|apt|dnf|zypper|dpkg-divert|podman|cp|rm|ln|install|ip|sh|(?:\./)?ldirectord)\b.*)$`)

// TestLinesOfTheDocumentsAreRun compares testdata/lines with README and docs: it has every command line of the
// documents, with the test that runs it, and no other line.
func TestLinesOfTheDocumentsAreRun(t *testing.T) {
	text := testkit.Read(t, "../../testdata/lines")
	listed := map[string]bool{}
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		who, what, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "\t")
		if !slices.Contains([]string{"user", "bare-test", "kernel-test", "package-test", "systemd-test",
			"other", "nobody"}, who) {
			t.Errorf("there is no test %q: %s", who, line)
		}
		listed[what] = false
	}
	documents := append(testkit.Files(t, "../../docs/*.md"), testkit.Files(t, "../../docs/measured/*.md")...)
	for _, path := range append(documents, "../../README.md", "../../CONTRIBUTING.md", "../../SECURITY.md") {
		text := testkit.Read(t, path)
		for _, m := range commandLine.FindAllStringSubmatch(text, -1) {
			line, _, _ := strings.Cut(m[1], " #")
			line = strings.TrimSpace(line)
			if _, ok := listed[line]; !ok {
				t.Errorf("%s: testdata/lines does not have: %s", path, line)
			}
			listed[line] = true
		}
	}
	for line, found := range listed {
		if !found {
			t.Errorf("testdata/lines: no document has: %s", line)
		}
	}
}

// systemd ignores lines of a drop-in that are in no section.
func TestDropInsHaveASection(t *testing.T) {
	bare := regexp.MustCompile(`\n\n {4}\w+=.*|one line: .*`)
	testkit.Same(t, bare.FindAllString(testkit.Read(t, "../../docs/running.md"), -1), []string(nil))
}
