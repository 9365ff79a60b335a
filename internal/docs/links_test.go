package docs

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"ldirectord/internal/testkit"
)

var (
	link    = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	heading = regexp.MustCompile(`(?m)^#+ (.*)$`)
	noSlug  = regexp.MustCompile(`[^\w\- ]`)
	linked  = regexp.MustCompile(`\[([^\]]*)\]\([^)]*\)`)
)

// A link within the documents leads to an existing file, and to a heading in it.
func TestLinksLeadSomewhere(t *testing.T) {
	var files []string
	for _, pattern := range []string{"../../*.md", "../../docs/*.md", "../../docs/measured/*.md",
		"../../examples/*.md", "../../examples/*/*.md", "../../tools/*/*.md", "../../testdata/*.md",
		"../../testdata/*/*.md"} {
		files = append(files, testkit.Files(t, pattern)...)
	}
	links := 0
	for _, file := range files {
		text := testkit.Read(t, file)
		for _, m := range link.FindAllStringSubmatch(text, -1) {
			if strings.Contains(m[1], "://") {
				continue
			}
			links++
			path, anchor, _ := strings.Cut(m[1], "#")
			to := filepath.Join(filepath.Dir(file), path)
			if path == "" {
				to = file
			}
			if _, err := os.Stat(to); err != nil {
				t.Errorf("%s: %s: %v", file, m[1], err)
			} else if anchor != "" && !anchors(testkit.Read(t, to))[anchor] {
				t.Errorf("%s: %s: there is no such heading", file, m[1])
			}
		}
	}
	if len(files) < 20 || links < 100 {
		t.Errorf("%d links in %d files", links, len(files))
	}
}

// anchors are the names that headings have in a browser; a second one of the same words gets a number.
func anchors(text string) map[string]bool {
	all := map[string]bool{}
	for _, h := range heading.FindAllStringSubmatch(text, -1) {
		words := linked.ReplaceAllString(h[1], "$1")
		name := strings.ReplaceAll(noSlug.ReplaceAllString(strings.ToLower(words), ""), " ", "-")
		unique := name
		for i := 1; all[unique]; i++ {
			unique = fmt.Sprintf("%s-%d", name, i)
		}
		all[unique] = true
	}
	return all
}
