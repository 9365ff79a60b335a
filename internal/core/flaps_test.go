package core

import (
	"strings"
	"testing"
	"time"

	"ldirectord/checker"
	"ldirectord/internal/health"
	"ldirectord/internal/judge"
	"ldirectord/internal/lvs"
	"ldirectord/internal/testkit"
	"ldirectord/parser"
)

func TestFlapsCountsWhatIsRecent(t *testing.T) {
	now := time.Now()
	for _, row := range testkit.Table(t, "../../testdata/core/flaps.txt", 3) {
		s := serverOf(lvs.Dest{})
		v := virtualOf(&parser.Virtual{}, s)
		for word := range strings.FieldsSeq(row[1]) {
			c := Change{user: user{v: v, s: s}, Before: State{Health: health.Up}}
			c.Time = now.Add(-time.Duration(number(t, word)) * time.Second)
			shift(&c)
		}
		first := Change{user: user{v: v, s: s}}
		shift(&first)
		a := subject{View: judge.View{Now: now}, v: v, s: s}
		testkit.Equal(t, a.flaps(), row[2], row[0])
		if v.HoldDown.First = time.Second; strings.Contains(a.flaps(), "holddown") {
			t.Errorf("%s: holddown is recommended to a section that has it", row[0])
		}
	}
}

// Results that change no state cost nothing.
func TestFlapsAllocatesNothingForAResult(t *testing.T) {
	s := serverOf(lvs.Dest{})
	c := Change{user: user{s: s}}
	if n := testing.AllocsPerRun(100, func() { shift(&c) }); n != 0 || s.recent != nil {
		t.Errorf("%v allocations", n)
	}
}

// A further success of a healthy server needs no memory.
func TestOneMoreSuccessAllocatesNothing(t *testing.T) {
	s := serverOf(lvs.Dest{})
	v := virtualOf(&parser.Virtual{ID: "tcp:10.1.0.1:80",
		Settings: parser.Settings{FailureCount: 1, RiseCount: 1}}, s)
	c, success := newCore(), checker.Result{OK: true, Took: 1}
	c.examiner.judge(user{v, s, &s.first}, &success)
	if n := testing.AllocsPerRun(100, func() { c.examiner.judge(user{v, s, &s.first}, &success) }); n > 0 {
		t.Errorf("a success makes %v allocations", n)
	}
	if runs := s.past.Records(); len(runs) != 1 || runs[0].Times != 102 {
		t.Errorf("the history is %+v, want one record of 102 successes", runs)
	}
}
