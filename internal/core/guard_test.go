package core

import (
	"slices"
	"strings"
	"testing"
	"time"

	"ldirectord/internal/health"
	"ldirectord/internal/judge"
	"ldirectord/internal/lvs"
	"ldirectord/internal/orders"
	"ldirectord/internal/testkit"
	"ldirectord/internal/view"
	"ldirectord/parser"
)

// A virtual service says how many servers are held and by what, and what an order to obey the checks suspends.
func TestWhatIsSaidOfTheGuard(t *testing.T) {
	has := map[string]func(*virtual){
		"keepserving": func(v *virtual) { v.KeepServing.N = 2 },
		"pace":        func(v *virtual) { v.Pace.N = 1 },
		"paceout":     func(v *virtual) { v.PaceOut.N = 1 },
		"checkvip":    func(v *virtual) { v.Paths = make([]judge.Path, 1) },
		"held": func(v *virtual) {
			v.held = slices.Repeat([]*server{{Server: &judge.Server{}}}, 3)
		},
		"reports": func(v *virtual) {
			v.held[0].First.Telling = health.Tells(health.Words{Admin: health.Drain})
		},
		"obeys": func(v *virtual) { v.Obeys = true },
	}
	for _, row := range testkit.Table(t, "../../testdata/core/guard.txt", 2) {
		v := virtualOf(&parser.Virtual{ID: "fwm:1"})
		for word := range strings.FieldsSeq(row[0]) {
			has[word](v)
		}
		given := orders.All{lvs.Backend{Virtual: "fwm:1"}: {Kind: orders.Obey, By: "kim", Why: "broken"}}
		now := describeAll([]*virtual{v}, given, time.Now())[0]
		var want []view.Condition
		if row[1] != "" {
			kind := map[bool]string{false: "held", true: "obeyed"}[v.Obeys]
			want = []view.Condition{{Kind: kind, Trouble: judge.Noted, Text: row[1]}}
		}
		testkit.Same(t, now.Conditions, want, row[0])
		testkit.Equal(t, now.Guard.Obeys, v.Obeys && row[1] != "", row[0])
	}
}
