package director

import (
	"fmt"
	"strings"
	"time"

	"ldirectord/checker"
	"ldirectord/checker/health"
	"ldirectord/checker/schedule"
	"ldirectord/judge"
)

// judgement is what the results of one check say of one server.
type judgement struct {
	*judge.Check
	next  *judgement     // of the server's next check
	task  *schedule.Task // nil with checktype=off
	check *check         // of task, once it runs

	reason    string    // of the last failure
	unjudged  *unjudged // nil: all answers could be judged
	shortages int32     // results in a row that failed by a shortage of this machine
	k         uint8     // its place among the server's checks
	number    uint8     // of its check in the section: 0, or the line of alsocheck
}

// unjudged are answers of a check that can't be judged.
type unjudged struct {
	why string    // of the last answer; "" when it can be judged
	at  time.Time // when it was last reported
}

// worst is the judgement that decides what a server is: the first that is down, else one that is unknown, else the one
// with the most results that speak against it.
func (s *server) worst() *judgement {
	worst := &s.first
	for j := s.first.next; j != nil; j = j.next {
		if j.isWorseThan(worst) {
			worst = j
		}
	}
	return worst
}

func (j *judgement) isWorseThan(other *judgement) bool {
	severity := [...]int{health.Up: 0, health.Unknown: 1, health.Down: 2}
	mine, others := severity[j.Health.State], severity[other.Health.State]
	return mine > others || mine == others && j.Health.State == health.Up && j.Health.Streak > other.Health.Streak
}

// spec is what a check asks a server.
func (x user) spec() checker.Spec { return specOf(x.v.cfg.Check(int(x.j.number)), x.s.real) }

// checkName is how a check of a server is called: https; among several https 443.
func (x user) checkName() string {
	spec := x.spec()
	name := spec.Kind()
	if x.s.first.next == nil {
		return name
	}
	switch spec.Type {
	case "combined":
		name = spec.Service
	case "on", "ping", "external", "external-perl":
		return name
	}
	return fmt.Sprintf("%s %d", name, spec.Target.Port())
}

// named is what a check says of a server, with the name of the check where there are several.
func (x user) named(detail string) string {
	if x.s.first.next == nil || detail == "" {
		return detail
	}
	name := x.checkName() + ": "
	return name + strings.TrimPrefix(detail, name)
}

// about is a sentence about a check of a server, with the name of the check at its end where there are several.
func (x user) about(format string, args ...any) string {
	sentence := fmt.Sprintf(format, args...)
	if x.s.first.next == nil {
		return sentence
	}
	return sentence + ": " + x.checkName()
}

// cantJudge is why the last answer of a check can't be judged; "" when it can.
func (j *judgement) cantJudge() string {
	if j.unjudged == nil {
		return ""
	}
	return j.unjudged.why
}
