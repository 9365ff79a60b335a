package director

import (
	"fmt"
	"iter"
	"strings"
	"time"

	"ldirectord/checker/health"
	"ldirectord/checker/schedule"
	"ldirectord/judge"
)

// judgement is the state of one server according to one check.
type judgement struct {
	*judge.Check
	next  *judgement     // the judgement by the server's next check
	task  *schedule.Task // nil with checktype=off
	check *check         // the check of task, once it runs

	reason    string    // the reason of the last failure
	unjudged  *unjudged // nil: all answers could be judged
	shortages int32     // results in a row with a shortage of this machine
	k         uint8     // its place among the server's checks
	number    uint8     // the number of its check in the section: 0, or the line of alsocheck
}

// unjudged describes answers of a check that can't be judged.
type unjudged struct {
	why string    // why the last answer can't be judged; "" if it can
	at  time.Time // when it was last reported
}

// worst is the judgement that decides the server's state: the first that is down, otherwise an unknown one, otherwise
// the one with the most results against its state.
func (s *server) worst() *judgement {
	severity := [...]int{health.Up: 0, health.Unknown: 1, health.Down: 2}
	worst := &s.first
	for j := s.first.next; j != nil; j = j.next {
		more := severity[j.Health.State] - severity[worst.Health.State]
		if more > 0 || more == 0 && j.Health.State == health.Up && j.Health.Streak > worst.Health.Streak {
			worst = j
		}
	}
	return worst
}

// checkName is the name of a check: https, or https 443 if the server has several.
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

// named adds the name of the check to a message if the server has several checks.
func (x user) named(detail string) string {
	if x.s.first.next == nil || detail == "" {
		return detail
	}
	name := x.checkName() + ": "
	return name + strings.TrimPrefix(detail, name)
}

// checks yields the checks of a server.
func (v *virtual) checks(s *server) iter.Seq[user] {
	return func(yield func(user) bool) {
		for j := &s.first; j != nil && yield(user{v, s, j}); j = j.next {
		}
	}
}

// cantJudge is why the last answer of a check can't be judged; "" when it can.
func (j *judgement) cantJudge() string {
	if j.unjudged == nil {
		return ""
	}
	return j.unjudged.why
}
