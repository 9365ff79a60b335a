package core

import (
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"

	"ldirectord/checker"
	"ldirectord/internal/health"
	"ldirectord/internal/history"
	"ldirectord/internal/judge"
	"ldirectord/internal/notify"
	"ldirectord/internal/plan"
	"ldirectord/internal/schedule"
	"ldirectord/internal/view"
)

// examiner runs the checks of a plan and judges servers by the results.
type examiner struct {
	*services
	checked       Checks
	watches       Watches
	conversations conversations
	company       company

	checks    map[*schedule.Task]*check
	tasks     []*schedule.Task // of the plan, in the order of the file
	accused   []*virtual       // to be settled
	moved     []*virtual       // virtual services with servers that moved away
	suspended []*server        // the servers that moved away and are in maintenance
	held      bool             // some checks wait for a route
	waiting   int              // checks for whose first results the start waits
	shortages uint64
	lacked    time.Time // when the last shortage was found
}

// Watches keeps an idle connection to each address, see schedule.Watches.
type Watches interface {
	Set(all map[netip.AddrPort]*schedule.Watch)
	Attend(to netip.AddrPort, up bool)
}

// check is the state of a running check.
type check struct {
	users    []user // the servers that use this check
	last     checker.Result
	at       history.Moment // when the result in last arrived, up to a second late; zero: no result yet
	began    time.Time      // when the check of the result in last began
	answered history.Moment // the start of the last check that ended, with any result
	answers                 // the mean time of its successes
	hurried  time.Duration  // the shorter interval given to the pool: fastinterval or askedAgain; 0: none
	begun    bool           // it is in the pool
	reported bool           // it had a result, even one that does not count but ends the wait
	awaited  bool           // the start waits for its result
	agent    bool           // it asks an agent
	ended    bool           // it was asked for, see schedule.Update, and its results so far contradict the state
	observed bool           // it was asked for because a server is suspected
	// why its address can't be watched until the next reload; "" if it can
	unwatched string
	watch     *schedule.Watch // nil: it is not watched
}

// isAwaited reports whether the start waits for the check's first result.
func (c *check) isAwaited() bool { return c.awaited && !c.reported }

// user is a real server or a fallback server of a virtual service, with one of its checks.
type user struct {
	v *virtual
	s *server
	j *judgement
}

// enter puts the checks of a plan in force.
func (e *examiner) enter(p *plan.Plan) {
	e.tasks, e.waiting = p.Tasks, 0
	e.moved = those(e.virtuals, func(v *virtual) bool { return len(v.movedAway()) > 0 })
	checks := make(map[*schedule.Task]*check, len(p.Tasks))
	all := make([]check, len(p.Tasks))
	for i, t := range p.Tasks {
		c := &all[i]
		if was := e.checks[t]; was != nil {
			*c = *was
		}
		c.users, c.watch, c.awaited, checks[t] = nil, nil, false, c
	}
	for x := range checked(e.virtuals...) {
		c := checks[x.task()]
		x.j.check, c.users = c, append(c.users, x)
		c.agent, c.reported = x.j.Agent, c.reported || x.j.Agent
		c.awaited = c.awaited || !x.s.Fallback
		x.j.Took(c.passage(), x.v.Back)
		x.j.Pending = !c.reported
		if len(x.v.Paths) > 0 && c.at == 0 && x.use().Spec().Through.Virtual.IsValid() {
			x.j.Tells = true
		}
	}
	e.checks = checks
	for _, c := range checks {
		if c.isAwaited() {
			e.waiting++
		}
		if c.at != 0 {
			e.hurry(c)
		}
	}
}

// run starts the checks that have a user and need not wait for a route. heirs maps each replaced check to the new one.
func (e *examiner) run(heirs map[*schedule.Task]*schedule.Task) {
	maps.DeleteFunc(e.checks, func(_ *schedule.Task, c *check) bool {
		if len(c.users) == 0 && c.isAwaited() {
			e.waiting--
		}
		return len(c.users) == 0
	})
	e.held = false
	awaits := func(x user) bool { return x.awaitsRoute(e.tell.now()) }
	for _, c := range e.checks {
		c.begun = c.begun || !slices.ContainsFunc(c.users, awaits)
		e.held = e.held || !c.begun
	}
	tasks := e.tasks
	if e.held || len(e.checks) < len(tasks) {
		tasks = slices.DeleteFunc(slices.Clone(tasks), func(t *schedule.Task) bool {
			c := e.checks[t]
			return c == nil || !c.begun
		})
	}
	e.checked.Set(tasks, heirs)
	e.watch(tasks)
	maps.DeleteFunc(e.conversations.kept,
		func(t *schedule.Task, _ view.Conversation) bool { return e.checks[t] == nil })
}

// watch makes the pool watch the addresses of servers whose sections ask for it. Sections that share an address share
// one connection.
func (e *examiner) watch(tasks []*schedule.Task) {
	all := map[netip.AddrPort]*schedule.Watch{}
	for _, t := range tasks {
		c := e.checks[t]
		c.watch = nil
		for _, x := range c.users {
			if !x.isWatched() || c.unwatched != "" {
				continue
			}
			spec, cfg := x.use().Spec(), x.v.Config
			every, silence := cfg.CheckInterval.Duration(), cfg.Watch.Silence
			w := all[spec.Target]
			switch {
			case w != nil && w.Origin != spec.Origin:
				continue // one connection for each address
			case w == nil:
				w = &schedule.Watch{To: spec.Target, Path: spec.Path, Silence: silence, Every: every}
				all[spec.Target] = w
			case w.Silence == 0 || silence > 0 && silence < w.Silence:
				w.Silence = silence
			}
			w.OnLink, w.Every = w.OnLink || spec.OnLink, min(w.Every, every)
			if c.watch == nil {
				c.watch, w.Tasks = w, append(w.Tasks, t)
			}
		}
	}
	e.watches.Set(all)
	for _, t := range tasks {
		if c := e.checks[t]; c.at != 0 {
			e.attend(c)
		}
	}
}

// isWatched reports whether the section asks for an idle connection that shows when the server process ends.
func (x user) isWatched() bool { return x.use().Check().Watches(x.s.entry.Real) }

// attend starts to watch the address of a check after a success, and stops when no server at that address is up.
func (e *examiner) attend(c *check) {
	w := c.watch
	if w == nil {
		return
	}
	up := slices.ContainsFunc(w.Tasks, e.serves)
	if c.last.OK || !up {
		e.watches.Attend(w.To, up)
	}
}

// serves reports whether a server that uses the check of a task is up.
func (e *examiner) serves(t *schedule.Task) bool {
	return slices.ContainsFunc(e.checks[t].users, func(x user) bool { return x.s.Health() == health.Up })
}

// unwatch notes that the address of a check can't be watched, and reports it.
func (e *examiner) unwatch(c *check, why string) {
	if c.watch == nil {
		return
	}
	for _, t := range c.watch.Tasks {
		e.checks[t].unwatched, e.checks[t].watch = why, nil
	}
	x := c.users[slices.IndexFunc(c.users, user.isWatched)]
	why = x.named(why)
	after := ": " + why + "; its checks continue"
	e.tell.report(x.v, x.s, notify.Unwatched, "Not watched until the next reload", after, why)
}

// share copies the earlier report of another server with this check to a judgement.
func (c *check) share(j *judgement) {
	for _, x := range c.users {
		if x.j.Telling != (health.Telling{}) {
			if j.Telling = x.j.Telling; j.Agent {
				j.Health, j.Loss, j.reason = x.j.Health, x.j.Loss, x.j.reason
			}
		}
	}
}

// judgeKnown judges servers whose state is unknown. It uses the results that their checks already have, because other
// servers may share those checks.
func (e *examiner) judgeKnown(v *virtual) {
	for _, s := range v.entries() {
		was := s.Health()
		for x := range v.checks(s) {
			switch j, c := x.j, e.checks[x.task()]; {
			case c == nil || c.at == 0:
			case j.Agent && j.Telling == (health.Telling{}):
				c.share(j)
			case j.Health.State == health.Unknown:
				c.share(j)
				j.Learn(v.Rule, c.last.OK && !j.Telling.Down, lossOf(c.last))
				j.reason = c.last.Detail
			}
		}
		if s.Health() != was {
			v.Learned(s.Server)
			e.tell.turned(user{v, s, s.worst()}, was, history.Outcome{})
		}
		s.Hold(s.Kept) // a report copied by share may ask to leave it out
	}
}

var unwatchedKind = kind{name: "unwatched", trouble: judge.Noted, says: func(a *subject) string {
	var why []string
	for x := range a.v.checks(a.s) {
		if x.j.check != nil && x.j.check.unwatched != "" && x.isWatched() {
			why = append(why, x.named(x.j.check.unwatched))
		}
	}
	return view.After("not watched until the next reload: ", strings.Join(why, "; "))
}}
