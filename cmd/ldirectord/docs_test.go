package main

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"ldirectord/checker"
	"ldirectord/director"
	"ldirectord/parser"
)

// The parser's table of directives, the checkers and the docs are one.
func TestDirectivesCheckersAndDocsAgree(t *testing.T) {
	text, err := os.ReadFile("../../docs/directives.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := map[string]string{}
	for _, row := range regexp.MustCompile("(?m)^\\| `([a-z0-9]+)` .*$").FindAllStringSubmatch(string(text), -1) {
		rows[row[1]] += row[0]
	}
	for _, d := range parser.Directives() {
		row, ok := rows[d.Name]
		if !ok {
			t.Errorf("docs/directives.md has no row for %s", d.Name)
		}
		if d.Extension != strings.Contains(row, "extension") {
			t.Errorf("docs/directives.md: %s is an extension: %v", d.Name, d.Extension)
		}
		delete(rows, d.Name)
	}
	for name := range rows {
		t.Errorf("docs/directives.md has %s, which the parser does not know", name)
	}
	known := checker.Services()
	for _, s := range parser.Services() {
		if !slices.Contains(known, s.Name) && s.Name != "oracle" { // which a build may leave out
			t.Errorf("no checker for service %s", s.Name)
		}
		if !named(text, s.Name) {
			t.Errorf("docs/directives.md does not name service %s", s.Name)
		}
	}
	for _, name := range checker.Types() {
		if name != "combined" && !named(text, name) { // combined is written as a number
			t.Errorf("docs/directives.md does not name checktype %s", name)
		}
	}
}

func named(text []byte, word string) bool {
	return regexp.MustCompile(`\b` + regexp.QuoteMeta(word) + `\b`).Match(text)
}

// Every example is good, and each of its checks can be built.
func TestExamples(t *testing.T) {
	files, err := filepath.Glob("../../examples/*.cf")
	if err != nil || len(files) < 7 {
		t.Fatalf("%d examples: %v", len(files), err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			source, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			cfg, found := parser.Parse(t.Context(), file, source, parser.Options{})
			for _, d := range found.Errors() {
				t.Error(d)
			}
			if cfg == nil {
				return
			}
			env := &checker.Env{Pinger: checker.NewPinger()}
			_, found = director.NewPlan(cfg, func(s checker.Spec) (checker.Checker, error) { return checker.New(s, env) })
			for _, d := range found {
				t.Error(d)
			}
		})
	}
}
