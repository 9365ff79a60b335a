package shadow

import (
	"context"
	"fmt"

	"ldirectord/checker"
	"ldirectord/director"
	"ldirectord/parser"
)

// follower is in place of a check that runs a program: the server is up while the live table has it in service.
type follower struct {
	s    *shadow
	spec checker.Spec
}

// Check asks the live table as it was read last.
func (f follower) Check(context.Context) checker.Result {
	f.s.mu.Lock()
	defer f.s.mu.Unlock()
	for _, p := range f.s.follows[f.spec] {
		if p.serves(f.s.table) {
			return checker.Result{OK: true, Stage: checker.AtMatch, Detail: "in service in the live table, which is followed"}
		}
	}
	return checker.Result{Cause: checker.Program, Detail: "not in service in the live table, which is followed"}
}

// follow replaces the checks of a plan that run programs. Those that the plan before had as well continue, and ask for
// the places of this one.
func (s *shadow) follow(p *director.Plan, places map[[2]string]place) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.follows = map[checker.Spec][]place{}
	for _, c := range p.Checks() {
		if kind := parser.CheckType(c.Spec.Type); c.Task == nil || kind != parser.External && kind != parser.ExternalPerl {
			continue
		}
		c.Task.Checker = follower{s, c.Spec}
		s.follows[c.Spec] = append(s.follows[c.Spec], places[[2]string{c.Virtual, c.Real}])
		s.report.Followed = append(s.report.Followed, c.Virtual+" "+c.Real)
	}
	if n := len(s.report.Followed); n > 0 {
		s.Say(fmt.Sprintf("%d checks run programs, which needs --with-programs: these servers are taken as the live table has them", n))
	}
}
