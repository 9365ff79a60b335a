package shadow

import (
	"context"
	"fmt"
	"sync/atomic"

	"ldirectord/checker"
	"ldirectord/checker/wire"
	"ldirectord/internal/lvs"
	"ldirectord/internal/plan"
	"ldirectord/parser"
)

// follower replaces a check that would run a program. It considers the server up while it is in service in the live
// table. A server of weight 0 is never in service there, and is up while it is in the table at all.
type follower struct {
	table  *atomic.Pointer[lvs.Table]
	at     place
	weight uint32 // as configured
}

// Check derives the result from the live table as it was last read.
func (f follower) Check(context.Context) checker.Result {
	t := *f.table.Load()
	if f.at.serves(t) || f.weight == 0 && f.at.isIn(t) {
		return checker.Result{OK: true, Stage: wire.AtMatch,
			Detail: "in service in the live table, which is followed"}
	}
	return checker.Result{Cause: checker.Program, Detail: "not in service in the live table, which is followed"}
}

// follow replaces the checks of a plan that run programs.
func (s *shadow) follow(p *plan.Plan, followers map[lvs.Backend]follower) {
	s.unmade = 0
	for _, c := range p.Checks() {
		if kind := c.Spec.Type; c.Task != nil &&
			(kind == parser.External || kind == parser.ExternalPerl) {
			c.Task.Checker = followers[lvs.At(c.Virtual, c.Real)]
			s.unmade += c.Spec.Timeout
			s.report.Followed = append(s.report.Followed, c.Virtual+" "+c.Real)
		}
	}
	if n := len(s.report.Followed); n > 0 {
		s.Say(fmt.Sprintf("%d checks run programs, and need --with-programs: their servers are assumed to "+
			"be as in the live table", n))
	}
}
