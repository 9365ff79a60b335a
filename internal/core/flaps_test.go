package core

import (
	"strings"
	"testing"
	"time"

	"ldirectord/internal/health"
	"ldirectord/internal/judge"
	"ldirectord/internal/plan"
	"ldirectord/parser"
)

func TestFlapsCountsWhatIsRecent(t *testing.T) {
	now := time.Now()
	const helps = "; holddown keeps such a server out, longer each time"
	for _, row := range []struct {
		what    string
		changes []time.Duration // how long ago
		want    string
	}{
		{"none", nil, ""},
		{"three", []time.Duration{3, 2, 1}, ""},
		{"four", []time.Duration{599, 3, 2, 1}, "4 changes in 10 minutes" + helps},
		{"the first is just too old", []time.Duration{600, 3, 2, 1}, ""},
		{"older ones don't count", []time.Duration{700, 600, 500, 400, 300, 200, 100},
			"5 changes in 10 minutes" + helps},
		{"nine", []time.Duration{9, 8, 7, 6, 5, 4, 3, 2, 1}, "9 changes in 10 minutes" + helps},
		{"more than are remembered", make([]time.Duration, shiftsKept+7), "100 changes in 10 minutes, or more" +
			helps},
	} {
		v := &virtual{Service: &plan.Service{Config: &parser.Virtual{}}}
		v.Case.Section = &judge.Section{}
		s := &server{Server: &judge.Server{Member: &judge.Member{}}}
		for _, ago := range row.changes {
			c := Change{user: user{v: v, s: s}, Before: State{Health: health.Up}}
			c.Time = now.Add(-ago * time.Second)
			shift(&c)
		}
		first := Change{user: user{v: v, s: s}}
		shift(&first)
		a := subject{View: judge.View{Now: now}, v: v, s: s}
		if a.flaps() != row.want {
			t.Errorf("%s: %q, want %q", row.what, a.flaps(), row.want)
		}
		if v.HoldDown = time.Second; strings.Contains(a.flaps(), "holddown") {
			t.Errorf("%s: holddown is recommended to a section that has it", row.what)
		}
	}
}

// Results that change no state cost nothing.
func TestFlapsAllocatesNothingForAResult(t *testing.T) {
	s := &server{Server: &judge.Server{Member: &judge.Member{}}}
	c := Change{user: user{s: s}}
	if n := testing.AllocsPerRun(100, func() { shift(&c) }); n != 0 || s.recent != nil {
		t.Errorf("%v allocations", n)
	}
}
