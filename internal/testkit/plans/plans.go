// Package plans makes plans for tests. It is not in testkit, because it needs the parser.
package plans

import (
	"testing"

	"ldirectord/internal/plan"
	"ldirectord/parser"
)

// Of is the plan of a configuration, with the checks that build makes.
func Of(t testing.TB, text string, o parser.Options, build plan.Build) *plan.Plan {
	t.Helper()
	cfg, found := parser.Parse(t.Context(), "test.cf", []byte(text), o)
	if found.HasErrors() {
		t.Fatal(found)
	}
	p, found := plan.New(cfg, build)
	if found.HasErrors() {
		t.Fatal(found)
	}
	return p
}
