package core

import (
	"testing"

	"ldirectord/internal/health"
	"ldirectord/internal/lvs"
	"ldirectord/internal/plan"
	"ldirectord/parser"
)

// A server is down if one of its checks is, up if all are, and unknown until all have a result.
func TestTheVerdictOfSeveralChecks(t *testing.T) {
	const unknown, up, down = health.Unknown, health.Up, health.Down
	for _, c := range []struct {
		checks []health.State
		want   health.State
		worst  int
	}{
		{[]health.State{unknown}, unknown, 0},
		{[]health.State{up}, up, 0},
		{[]health.State{down}, down, 0},
		{[]health.State{up, up, up}, up, 0},
		{[]health.State{up, unknown, up}, unknown, 1},
		{[]health.State{unknown, up, unknown}, unknown, 0},
		{[]health.State{up, unknown, down}, down, 2},
		{[]health.State{unknown, down, up}, down, 1},
		{[]health.State{up, down, down}, down, 1},
	} {
		s := checkedBy(c.checks...)
		worst := s.judgement(c.worst)
		if s.Health() != c.want || s.worst() != worst {
			t.Errorf("%v: %v, want %v; the worst is %p, want %p", c.checks, s.Health(), c.want, s.worst(),
				worst)
		}
	}
}

// If all checks are up, the one with the most failures in a row is shown.
func TestTheWorstOfChecksThatPass(t *testing.T) {
	s := checkedBy(health.Up, health.Up)
	s.first.next.Health = s.first.next.Health.Next(false, health.Rule{Fall: 3, Rise: 1})
	if s.worst() != s.first.next || s.Health() != health.Up {
		t.Errorf("the server is %v, the worst check's streak %d", s.Health(), s.worst().Health.Streak)
	}
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
