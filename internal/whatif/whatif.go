// Package whatif simulates a plan in memory with the daemon's own core. It shows what the table would be if servers
// failed, if orders were given, if the plan was replaced, or if the director ended.
package whatif

import (
	"context"
	"net/netip"
	"slices"
	"time"

	"ldirectord/checker"
	"ldirectord/internal/announce"
	"ldirectord/internal/core"
	"ldirectord/internal/judge"
	"ldirectord/internal/lvs"
	"ldirectord/internal/maintenance"
	"ldirectord/internal/orders"
	"ldirectord/internal/plan"
	"ldirectord/internal/schedule"
	"ldirectord/internal/view"
	"ldirectord/ipvsctl"
)

const (
	// Calm is the usual calm for New. It is long enough for paceout to remove servers and for slowstart to raise
	// weights.
	Calm = time.Hour

	maxSteps  = 100_000 // of one wait
	maxRounds = 1000    // failures in a row that may be needed to take a server down
)

// World is a plan that is being simulated. Its checks pass, except those that were made to fail.
type World struct {
	core  *core.Core
	plan  *plan.Plan
	table *ipvsctl.Memory
	now   time.Time
	next  time.Time
	fails map[target]bool
	calm  time.Duration
	due   map[time.Duration]time.Time // when checks with this interval are due, see Let
}

// target is a real server or a fallback server. A real server and a fallback server may have the same name.
type target struct {
	lvs.Backend
	fallback bool
}

// New simulates the start of these services of a plan, with the given orders in force. Every check succeeds. calm is
// how much simulated time goes by after the start, after failures, and after orders.
func New(p *plan.Plan, services []*plan.Service, given orders.All, calm time.Duration) *World {
	part := *p
	part.Services, part.Tasks = services, tasksOf(services)
	w := &World{plan: &part, table: ipvsctl.NewMemory(nil), now: time.Now(), calm: calm,
		fails: map[target]bool{}, due: map[time.Duration]time.Time{}}
	w.core = core.New(core.World{Orders: given}, core.Performers{Checks: pool{}, Watches: watches{}, Marks: true,
		Await: func() func() { return func() {} }})
	e, _ := w.core.Begin(w.now, w, core.Ready(&part), maintenance.Reading{}) // a table in memory can always be read
	w.perform(e)
	w.check(0)
	w.pass(w.calm)
	return w
}

// tasksOf returns each check of these services once. The plan may have many more checks.
func tasksOf(services []*plan.Service) (tasks []*schedule.Task) {
	seen := map[*schedule.Task]bool{nil: true}
	for _, s := range services {
		for x := range s.Uses(s.Entries...) {
			if t := x.Line.Task; !seen[t] {
				seen[t] = true
				tasks = append(tasks, t)
			}
		}
	}
	return tasks
}

// Asked returns those of the servers that have a check that can fail. With checktype = on or service = none, a check
// always passes.
func (w *World) Asked(servers []lvs.Backend) []lvs.Backend {
	asked := map[lvs.Backend]bool{}
	for _, s := range w.plan.Services {
		for x := range s.Uses(s.Entries...) {
			if kind := x.Spec().Kind(); kind != "on" && kind != "none" && !x.Entry.Fallback {
				asked[lvs.At(s.Config.ID, x.Entry.Name())] = true
			}
		}
	}
	return slices.DeleteFunc(slices.Clone(servers), func(at lvs.Backend) bool { return !asked[at] })
}

// Break makes the checks of these servers fail, or pass again.
func (w *World) Break(servers []lvs.Backend, fail bool) {
	for _, at := range servers {
		w.fails[target{at, false}] = fail
	}
}

// BreakFallbacks makes the checks of these fallback servers fail.
func (w *World) BreakFallbacks(servers []lvs.Backend) {
	for _, at := range servers {
		w.fails[target{at, true}] = true
	}
}

// Let lets time pass. Meanwhile each check is made at its interval.
func (w *World) Let(d time.Duration) {
	for end := w.now.Add(d); ; {
		next, every := end, time.Duration(0)
		for _, t := range w.plan.Tasks {
			at := w.due[t.Every]
			if at.Before(w.now) { // the interval is new, or its time dates from an earlier plan
				at = w.now.Add(t.Every)
				w.due[t.Every] = at
			}
			if !at.After(next) {
				next, every = at, t.Every
			}
		}
		w.pass(next.Sub(w.now))
		if every == 0 {
			return
		}
		w.check(every)
		w.due[every] = next.Add(every)
	}
}

// Reload replaces the plan.
func (w *World) Reload(p *plan.Plan) {
	w.plan = p
	w.core.Replace(w.now, core.Ready(p), maintenance.Reading{}, false)
	w.step()
	w.check(0)
}

// Fail makes the checks of these servers fail, and lets time pass until all failing servers are down.
func (w *World) Fail(servers []lvs.Backend) {
	w.Break(servers, true)
	w.checkWhile(w.anyUp)
}

// checkWhile makes the checks once, and then each second while isSo returns true. Then it lets the calm pass.
func (w *World) checkWhile(isSo func() bool) {
	for range maxRounds {
		w.check(0)
		w.pass(time.Second)
		if !isSo() {
			break
		}
	}
	w.pass(w.calm)
}

// Wait makes these servers wait to come back: their checks fail, and then pass again. Without an order, the servers
// come back only while too few others serve. Wait gives them comeback=order in the plan, and so in all simulations of
// the plan.
func (w *World) Wait(servers []lvs.Backend) {
	for _, s := range w.plan.Services {
		for _, e := range s.Reals() {
			if slices.Contains(servers, lvs.At(s.Config.ID, e.Name())) {
				e.Comeback = lvs.ByOrder
			}
		}
	}
	w.Fail(servers)
	w.Break(servers, false)
	w.checkWhile(func() (anyDown bool) {
		for _, s := range w.Snapshot().Among(servers) {
			anyDown = anyDown || s.State == "down"
		}
		return anyDown
	})
}

// anyUp reports whether any failing server is still up.
func (w *World) anyUp() bool {
	now := w.Snapshot()
	for v, s := range now.Each() {
		if w.fails[target{lvs.At(v.ID, s.Real), false}] && s.Up && s.State == "up" {
			return true
		}
	}
	for i := range now.Virtuals {
		v := &now.Virtuals[i]
		for _, f := range v.Fallbacks() {
			if w.fails[target{lvs.At(v.ID, f.Server), true}] && f.State == "up" {
				return true
			}
		}
	}
	return false
}

// Order replaces the orders in force with these. The servers in ready come back without waiting any longer.
func (w *World) Order(all, ready orders.All) {
	w.core.Order(w.now, all, ready)
	w.step()
	w.pass(w.calm)
}

// End ends the director, as stop does.
func (w *World) End() {
	w.core.End(w.now)
	w.core.Stop(w.now, w)
	if w.core.Announces() {
		for range 2 { // an address may first move to the device of lastresort
			w.core.Withdrew(w.now, announce.Placed(w.core.Withdrawing(w.now)), nil)
			w.now = w.now.Add(w.core.WithdrawWait())
		}
	}
	w.core.Clear(w.now)
}

// Snapshot returns the present state.
func (w *World) Snapshot() *view.Snapshot { return w.core.Snapshot(w.now) }

// Table returns the present table.
func (w *World) Table() lvs.Table {
	have, _ := w.table.Read(context.Background()) // a table in memory
	return have
}

// check gives a result to every check with this interval, or to every check if the interval is 0.
func (w *World) check(every time.Duration) {
	fails := map[*schedule.Task]bool{}
	for _, s := range w.plan.Services {
		for _, e := range s.Entries {
			if w.fails[target{lvs.At(s.Config.ID, e.Name()), e.Fallback}] {
				for x := range s.Uses(e) {
					fails[x.Line.Task] = true
				}
			}
		}
	}
	var all []schedule.Update
	for _, t := range w.plan.Tasks {
		if every == 0 || t.Every == every {
			r := checker.Result{OK: !fails[t], Detail: "it is assumed to fail"}
			all = append(all, schedule.Update{Task: t, Result: r, Began: w.now})
		}
	}
	w.core.Results(w.now, all)
	w.step()
}

// pass lets time pass, and takes all steps that become due.
func (w *World) pass(d time.Duration) {
	end := w.now.Add(d)
	for range maxSteps {
		if w.next.IsZero() || w.next.After(end) {
			break
		}
		if w.next.After(w.now) {
			w.now = w.next
		}
		w.step()
	}
	w.now = end
	w.step()
}

func (w *World) step() { w.perform(w.core.Step(w.now)) }

// perform tells the core that the mark rules and addresses it wants are in place. It repeats this until the core wants
// no others.
func (w *World) perform(e core.Effects) {
	for e.SetRules || e.Place {
		if e.SetRules {
			w.core.Marked(w.now, e.Rules, nil, nil)
		}
		if e.Place {
			w.core.Placed(w.now, announce.Placed(e.Wanted), nil)
		}
		e = w.core.Step(w.now)
	}
	w.next = e.Next
}

// What follows is the core's table, which carries out requests at once, and a pool that makes no checks.

func (w *World) Do(_ time.Duration, ops ...lvs.Op) []judge.Outcome {
	all := make([]judge.Outcome, len(ops))
	for i, err := range w.table.Do(context.Background(), ops...) {
		if err != nil {
			all[i] = judge.Outcome{Answer: judge.Refused, Err: err}
		}
	}
	return all
}

func (w *World) Read(time.Duration) (lvs.Table, judge.Outcome) { return w.Table(), judge.Outcome{} }

func (w *World) Services(_ time.Duration, keys ...lvs.Key) (lvs.Table, judge.Outcome) {
	have, _ := w.table.Services(context.Background(), keys...)
	return have, judge.Outcome{}
}

func (w *World) Timeouts(_ time.Duration, want lvs.Timeouts) (lvs.Timeouts, judge.Outcome) {
	was, _ := w.table.Timeouts(context.Background(), want)
	return was, judge.Outcome{}
}

func (w *World) Now() time.Time { return w.now }

// watches are idle connections that never end.
type watches struct{}

func (watches) Set(map[netip.AddrPort]*schedule.Watch) {}
func (watches) Attend(netip.AddrPort, bool)            {}

// pool accepts checks. World provides their results.
type pool struct{}

func (pool) Set([]*schedule.Task, map[*schedule.Task]*schedule.Task) {}
func (pool) Hurry(*schedule.Task, time.Duration)                     {}
func (pool) Ask(...*schedule.Task)                                   {}
func (pool) Tape(*schedule.Task)                                     {}
