package director

import (
	"testing"

	"ldirectord/checker/health"
)

// A server is down when one of its checks says so, up when all do, and unknown until all have a result.
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
		s := &server{}
		all := make([]judgement, len(c.checks))
		for i, state := range c.checks {
			all[i].health = health.Assume(state)
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
			t.Errorf("%v: %v, want %v; the worst is %p, want %p", c.checks, s.verdict(), c.want, s.worst(),
				worst)
		}
	}
}

// Of checks that all pass for now, the one with the most failures in a row is shown.
func TestTheWorstOfChecksThatPass(t *testing.T) {
	s := &server{first: judgement{health: health.Assume(health.Up),
		next: &judgement{health: health.Assume(health.Up)}}}
	s.first.next.health, _ = s.first.next.health.Next(false, health.Rule{Fall: 3, Rise: 1})
	if s.worst() != s.first.next || s.verdict() != health.Up {
		t.Errorf("%v, streak %d", s.verdict(), s.worst().health.Streak)
	}
}
