package docs

import (
	"regexp"
	"testing"

	"ldirectord/internal/testkit"
	"ldirectord/parser"
)

// The recommended set of judgement.md is good for a section of four servers.
func TestAGoodStart(t *testing.T) {
	text := testkit.Read(t, "../../docs/judgement.md")
	set := regexp.MustCompile(`(?m)^\*\*A good start\*\* for most web services.*\n\n((?: {4}.*\n)+)`).
		FindStringSubmatch(text)
	if set == nil {
		t.Fatal("judgement.md has no recommended set")
	}
	source := regexp.MustCompile(`(?m)^ +`).ReplaceAllString(set[1], "") +
		"virtual = 192.0.2.1:80\n    real = 192.0.2.11->192.0.2.14:80 gate 100\n    service = http\n"
	cfg, found := parser.Parse(t.Context(), "start.cf", []byte(source), parser.Options{})
	if len(found) > 0 {
		t.Fatalf("%v in\n%s", found, source)
	}
	for _, name := range []string{"slowstart", "pace", "holddown", "keepserving"} {
		if cfg.Global.At[name].Line == 0 {
			t.Errorf("the set has no %s", name)
		}
	}
}
