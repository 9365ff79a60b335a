package core

import (
	"strings"
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
	for checks, worst := range map[string]int{
		"unknown": 0, "up": 0, "down": 0, "up up up": 0,
		"up unknown up": 1, "unknown up unknown": 0,
		"up unknown down": 2, "unknown down up": 1, "up down down": 1,
	} {
		s := checkedBy(strings.Fields(checks)...)
		testkit.Equal(t, s.worst(), s.judgement(worst), checks)
	}
	s := checkedBy("up", "up")
	s.first.next.Health = s.first.next.Health.Next(false, health.Rule{Fall: 3, Rise: 1})
	testkit.Equal(t, s.worst(), s.first.next, "one of two that pass failed last time")
	s = checkedBy("up", "down", "unknown")
	s.judgement(1).Part = 50
	testkit.Equal(t, s.worst(), s.judgement(2), "the first only lowers the weight")
}

// checkedBy is a server with checks in these states.
func checkedBy(states ...string) *server {
	s := serverOf(lvs.Dest{})
	last := &s.entry.First
	for range states[1:] {
		last.Next = &plan.Line{}
		last = last.Next
	}
	virtualOf(&parser.Virtual{}, s)
	for k, state := range states {
		is := map[string]health.State{"up": health.Up, "down": health.Down}[state] // or unknown
		s.judgement(k).Health = health.Assume(is)
	}
	return s
}
