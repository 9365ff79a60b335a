package core

import (
	"context"
	"errors"
	"net/netip"
	"testing"
	"time"

	"ldirectord/checker"
	"ldirectord/checker/protocol"
	"ldirectord/internal/judge"
	"ldirectord/internal/lvs"
	"ldirectord/internal/plan"
	"ldirectord/internal/schedule"
	"ldirectord/internal/testkit"
	"ldirectord/internal/testkit/plans"
	"ldirectord/ipvsctl"
	"ldirectord/parser"
)

// newYear is when worlds begin.
var newYear = testkit.Time("2026-01-01T00:00:00Z")

// memory is a table, usually in memory, that answers at once.
type memory struct{ ipvsctl.Client }

func (m memory) Do(_ time.Duration, ops ...lvs.Op) []judge.Outcome {
	outcomes := make([]judge.Outcome, len(ops))
	for i, err := range m.Client.Do(context.Background(), ops...) {
		outcomes[i] = outcomeOf(err)
	}
	return outcomes
}

func (m memory) Read(time.Duration) (lvs.Table, judge.Outcome) {
	have, err := m.Client.Read(context.Background())
	return have, outcomeOf(err)
}

func (m memory) Services(_ time.Duration, keys ...lvs.Key) (lvs.Table, judge.Outcome) {
	found, err := m.Client.Services(context.Background(), keys...)
	return found, outcomeOf(err)
}

func (m memory) Timeouts(_ time.Duration, want lvs.Timeouts) (lvs.Timeouts, judge.Outcome) {
	was, err := m.Client.Timeouts(context.Background(), want)
	return was, outcomeOf(err)
}

func (m memory) Now() time.Time { return time.Now() }

// withCounters is a table with the counters of its destinations.
func withCounters(have lvs.Table, of func(lvs.Key, lvs.Dest) lvs.Counters) lvs.Table {
	for key, service := range have {
		service.Counters = map[netip.AddrPort]lvs.Counters{}
		for _, d := range service.Dests {
			service.Counters[d.Addr] = of(key, d)
		}
		have[key] = service
	}
	return have
}

func outcomeOf(err error) judge.Outcome {
	switch {
	case err == nil:
		return judge.Outcome{}
	case ipvsctl.IsMissing(err):
		return judge.Outcome{Answer: judge.Missing, Err: err}
	}
	return judge.Outcome{Answer: judge.Refused, Err: err}
}

// What a table answers that refuses a change, or not at all.
var (
	errRefused = errors.New("refused")
	unanswered = judge.Outcome{Answer: judge.Unanswered, Err: errors.New("no answer")}
)

// unnamed knows no names of ports.
type unnamed struct{}

func (unnamed) Port(context.Context, string, string) (uint16, error) {
	return 0, errors.New("no such service")
}

// unchecked makes no checks, and watches nothing.
type unchecked struct{}

func (unchecked) Set([]*schedule.Task, map[*schedule.Task]*schedule.Task) {}
func (unchecked) Hurry(*schedule.Task, time.Duration)                     {}
func (unchecked) Ask(...*schedule.Task)                                   {}
func (unchecked) Tape(*schedule.Task)                                     {}

type unwatched struct{}

func (unwatched) Set(map[netip.AddrPort]*schedule.Watch) {}
func (unwatched) Attend(netip.AddrPort, bool)            {}

// newCore is a core that has not begun.
func newCore(tell ...Receiver) *Core {
	return New(World{Tell: tell}, Performers{Checks: unchecked{}, Watches: unwatched{}})
}

// planOf is the plan of a configuration, with the checks of the program.
func planOf(t testing.TB, text string) *plan.Plan {
	t.Helper()
	env := &protocol.Env{}
	build := func(s checker.Spec) (checker.Checker, error) { return protocol.New(s, env) }
	return plannedWith(t, text, build, parser.Options{})
}

// planned is one whose checks are never made.
func planned(t testing.TB, config string) *plan.Plan {
	t.Helper()
	return plannedWith(t, config, neverChecked, parser.Options{})
}

// plannedWith is one with the checks that build makes.
func plannedWith(t testing.TB, config string, build plan.Build, o parser.Options) *plan.Plan {
	t.Helper()
	return plans.Of(t, config, o, build)
}

type checkFunc func() checker.Result

func (f checkFunc) Check(context.Context) checker.Result { return f() }

func neverChecked(checker.Spec) (checker.Checker, error) {
	return checkFunc(func() checker.Result { return checker.Result{} }), nil
}
