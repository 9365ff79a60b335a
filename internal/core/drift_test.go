package core

import (
	"testing"
	"time"

	"ldirectord/internal/plan"
	"ldirectord/internal/testkit"
	"ldirectord/parser"
)

// While servers are watched, the table is compared at least every 10 s.
func TestTheTableIsComparedMoreOftenWhileServersAreWatched(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"checkinterval = 60\n": 54 * time.Second, "checkinterval = 60\nwatch = yes\n": 9 * time.Second,
		"checkinterval = 60\nwatch = 30\n": 9 * time.Second,
		"checkinterval = 5\nwatch = yes\n": 4500 * time.Millisecond,
	} {
		src := text + "virtual = 10.1.0.1:80\n\treal = 10.2.0.1:80 gate\n\tchecktype = connect\n"
		cfg, found := parser.Parse(t.Context(), "", []byte(src), parser.Options{})
		if found.HasErrors() {
			t.Fatal(found)
		}
		all := services{global: &cfg.Global,
			virtuals: []*virtual{{Service: &plan.Service{Config: cfg.Virtuals[0]}}}}
		testkit.Equal(t, all.driftInterval(), want, text)
	}
}
