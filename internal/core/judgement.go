package core

import (
	"iter"
	"strings"
	"time"

	"ldirectord/internal/health"
	"ldirectord/internal/judge"
	"ldirectord/internal/plan"
	"ldirectord/internal/schedule"
)

// judgement is the state of one server according to one check.
type judgement struct {
	*judge.Check
	next  *judgement // the judgement by the server's next check
	check *check     // the check of its task, once it runs

	reason    string    // the reason of the last failure
	unjudged  *unjudged // nil: all answers could be judged
	shortages int32     // results in a row with a shortage of this machine
	k         uint8     // its place among the server's checks
}

// unjudged describes answers of a check that can't be judged.
type unjudged struct {
	why string    // why the last answer can't be judged; "" if it can
	at  time.Time // when it was last reported
}

// worst returns the judgement that decides the server's state. It is the first one that is down. If none is, it is the
// first one that is unknown. Next come those that only lower the weight and don't pass, and then the one with the most
// results against its state.
func (s *server) worst() *judgement {
	rank := func(j *judgement) int {
		switch {
		case j.Health.State == health.Up:
			return 0
		case j.Part > 0:
			return 1
		case j.Health.State == health.Unknown:
			return 2
		}
		return 3
	}
	worst := &s.first
	for j := s.first.next; j != nil; j = j.next {
		more := rank(j) - rank(worst)
		if more > 0 || more == 0 && j.Health.State == health.Up && j.Health.Streak > worst.Health.Streak {
			worst = j
		}
	}
	return worst
}

// use returns the check as the plan defines it.
func (x user) use() plan.Use {
	return plan.Use{Service: x.v.Service, Entry: x.s.entry, Line: x.s.entry.Line(int(x.j.k))}
}

// task returns the pool's task that runs the check, or nil if checktype is off.
func (x user) task() *schedule.Task { return x.s.entry.Line(int(x.j.k)).Task }

// named adds the name of the check to a message if the server has several checks.
func (x user) named(detail string) string {
	if x.s.first.next == nil || detail == "" {
		return detail
	}
	name := x.use().Name() + ": "
	return name + strings.TrimPrefix(detail, name)
}

// checks yields the checks of a server.
func (v *virtual) checks(s *server) iter.Seq[user] {
	return func(yield func(user) bool) {
		for j := &s.first; j != nil && yield(user{v, s, j}); j = j.next {
		}
	}
}

// cantJudge returns the reason why the last answer of a check can't be judged, or "" if it can.
func (j *judgement) cantJudge() string {
	if j.unjudged == nil {
		return ""
	}
	return j.unjudged.why
}
