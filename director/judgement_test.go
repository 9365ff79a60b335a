package director

import (
	"testing"

	"ldirectord/checker"
)

// A server is down when one of its checks says so, up when all do, and unknown until all have a result.
func TestTheVerdictOfSeveralChecks(t *testing.T) {
	const unknown, up, down = checker.Unknown, checker.Up, checker.Down
	for _, c := range []struct {
		checks []checker.State
		want   checker.State
		worst  int
	}{
		{[]checker.State{unknown}, unknown, 0},
		{[]checker.State{up}, up, 0},
		{[]checker.State{down}, down, 0},
		{[]checker.State{up, up, up}, up, 0},
		{[]checker.State{up, unknown, up}, unknown, 1},
		{[]checker.State{unknown, up, unknown}, unknown, 0},
		{[]checker.State{up, unknown, down}, down, 2},
		{[]checker.State{unknown, down, up}, down, 1},
		{[]checker.State{up, down, down}, down, 1},
	} {
		s := &server{}
		all := make([]judgement, len(c.checks))
		for i, state := range c.checks {
			all[i].health = checker.Assume(state)
		}
		s.first = all[0]
		last := &s.first
		for i := range all[1:] {
			last.next = &all[i+1]
			last = last.next
		}
		worst := &s.first
		for range c.worst {
			worst = worst.next
		}
		if s.verdict() != c.want || s.worst() != worst {
			t.Errorf("%v: %v, want %v; the worst is %p, want %p", c.checks, s.verdict(), c.want, s.worst(), worst)
		}
	}
}

// Of checks that all pass for now, the one with the most failures in a row is shown.
func TestTheWorstOfChecksThatPass(t *testing.T) {
	s := &server{first: judgement{health: checker.Assume(checker.Up), next: &judgement{health: checker.Assume(checker.Up)}}}
	s.first.next.health, _ = s.first.next.health.Next(false, checker.Rule{Fall: 3, Rise: 1})
	if s.worst() != s.first.next || s.verdict() != checker.Up {
		t.Errorf("%v, streak %d", s.verdict(), s.worst().health.Streak)
	}
}
