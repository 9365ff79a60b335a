package core

import (
	"testing"

	"ldirectord/checker"
	"ldirectord/internal/lvs"
	"ldirectord/parser"
)

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
