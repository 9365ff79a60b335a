package core

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"ldirectord/internal/testkit"
)

// docs/status.md has a row with each kind of condition and its trouble.
func TestDocsKnowTheConditions(t *testing.T) {
	docs := testkit.Read(t, "../../docs/status.md")
	trouble := map[string]string{}
	for _, row := range regexp.MustCompile("(?m)^\\| (`[a-z ,`]+`) \\| (\\w+) \\|").FindAllStringSubmatch(docs,
		-1) {
		for _, name := range strings.Split(row[1], ", ") {
			trouble[strings.Trim(name, "`")] = row[2]
		}
	}
	for _, k := range slices.Concat(serverKinds, sectionKinds) {
		if k.says == nil {
			continue
		}
		testkit.Equal(t, trouble[k.name], k.trouble.String(), "docs/status.md on", k.name)
	}
}

// What the rules tell is of a kind that package notify has.
func TestNoticesAreOfKnownKinds(t *testing.T) {
	known := testkit.Read(t, "../notify/event.go")
	found := 0
	for _, file := range testkit.Files(t, "../judge/*.go") {
		text := testkit.Read(t, file)
		for _, event := range regexp.MustCompile(`Notice\{"([a-z-]+)"`).FindAllStringSubmatch(text, -1) {
			found++
			testkit.Contains(t, known, ` Kind = "`+event[1]+`"`, file, "has an event of no kind:")
		}
	}
	if found == 0 {
		t.Error("no notice is found")
	}
}
