package core

import (
	"testing"

	"ldirectord/internal/health"
	"ldirectord/internal/lvs"
	"ldirectord/internal/plan"
	"ldirectord/internal/testkit"
	"ldirectord/parser"
)

// The check that decides is the first that is down, otherwise one without a result, otherwise the one with the most
// failures in a row.
func TestTheWorstOfChecks(t *testing.T) {
	const unknown, up, down = health.Unknown, health.Up, health.Down
	for _, c := range []struct {
		checks []health.State
		worst  int
	}{
		{[]health.State{unknown}, 0},
		{[]health.State{up}, 0},
		{[]health.State{down}, 0},
		{[]health.State{up, up, up}, 0},
		{[]health.State{up, unknown, up}, 1},
		{[]health.State{unknown, up, unknown}, 0},
		{[]health.State{up, unknown, down}, 2},
		{[]health.State{unknown, down, up}, 1},
		{[]health.State{up, down, down}, 1},
	} {
		s := checkedBy(c.checks...)
		testkit.Equal(t, s.worst(), s.judgement(c.worst), c.checks)
	}
	s := checkedBy(up, up)
	s.first.next.Health = s.first.next.Health.Next(false, health.Rule{Fall: 3, Rise: 1})
	testkit.Equal(t, s.worst(), s.first.next, "one of two that pass failed last time")
}

// checkedBy is a server with checks in these states.
func checkedBy(states ...health.State) *server {
	s := serverOf(lvs.Dest{})
	last := &s.entry.First
	for range states[1:] {
		last.Next = &plan.Line{}
		last = last.Next
	}
	virtualOf(&parser.Virtual{}, s)
	for k, state := range states {
		s.judgement(k).Health = health.Assume(state)
	}
	return s
}
