package core

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"ldirectord/checker"
	"ldirectord/internal/announce"
	"ldirectord/internal/judge"
	"ldirectord/internal/lvs"
	"ldirectord/internal/maintenance"
	"ldirectord/internal/notify"
	"ldirectord/internal/plan"
	"ldirectord/internal/resolve"
	"ldirectord/internal/schedule"
	"ldirectord/internal/testkit"
	"ldirectord/internal/view"
	"ldirectord/ipvsctl"
	"ldirectord/parser"
)

// world carries out what a core decides, without goroutines and at a time of its own. It notes what it is asked, in
// that order.
type world struct {
	*testing.T
	unchecked
	unnamed
	memory
	*Core
	before  World // what the core knows of the time before
	now     time.Time
	plan    *plan.Plan
	e       Effects
	did     []string
	begun   int                   // checks that run
	heirs   int                   // how many of them replaced others at the last change
	hooks   []func()              // commands that run
	taken   map[lvs.Key]string    // the virtual services that other daemons have
	beside  map[lvs.Key]string    // and those that they wait for
	names   map[string]netip.Addr // of hosts
	slow    bool                  // slow orders are not carried out before perform is called
	rules   *[]lvs.MarkRule
	wanted  *[]lvs.Wanted
	asked   []lvs.Op            // by the request that is answered now
	texts   bool                // the log is noted in words
	torn    lvs.Key             // the next reading misses it
	lost    bool                // no order for addresses is answered
	there   announce.Place      // where an address of the daemon before is
	parts   map[string]string   // of configurations, by their names
	reading maintenance.Reading // of maintenancedir, in a story
	// carries are the connections and packets of servers, as the table counts them.
	carries map[netip.AddrPort]lvs.Counters
	// answers, if not nil, is what becomes of a request, and how long that takes. A request that is Done is carried
	// out.
	answers func(what string) (judge.Outcome, time.Duration)
}

// newWorld is a world that has not begun. Each of these changes what its core knows of the time before.
func newWorld(t *testing.T, before ...func(*World)) *world {
	w := &world{T: t, memory: memory{ipvsctl.NewMemory(nil)}, now: newYear}
	w.before = World{
		Tell: []Receiver{Words(w.log), Commands(func(h notify.Hook) {
			w.note("run %s", strings.Join(h.Argv[1:], " "))
			if h.Ended != nil {
				w.hooks = append(w.hooks, h.Ended)
			}
		}), Reminders(func(e notify.Event, down bool) {
			w.note("remind %s, %s, %t, %s.", e.Real, e.Name, down, e.Reason)
		})},
		Leave: func(all []judge.Record) { w.note("leavers %d", len(all)) },
		Move:  func(all []judge.Record) { w.note("moving %d", len(all)) },
	}
	for _, change := range before {
		change(&w.before)
	}
	return w
}

func (w *world) log(e notify.Event) {
	if w.texts {
		w.note("log %s", e.Text)
		return
	}
	w.note("log %s", e.Kind)
}

func (w *world) note(format string, args ...any) { w.did = append(w.did, fmt.Sprintf(format, args...)) }

// ask is one request to the table.
func (w *world) ask(what string, limit time.Duration) judge.Outcome {
	if limit <= 0 || limit > judge.TableTimeout {
		w.Errorf("%s may take %v", what, limit)
	}
	w.note("%s", what)
	if w.answers == nil {
		return judge.Outcome{}
	}
	o, took := w.answers(what)
	w.now = w.now.Add(took)
	return o
}

func (w *world) Now() time.Time { return w.now }

func (w *world) Do(limit time.Duration, ops ...lvs.Op) []judge.Outcome {
	all := make([]judge.Outcome, len(ops))
	w.asked = ops
	for i, op := range ops {
		if all[i] = w.ask(op.String(), limit); all[i].Err == nil {
			all[i] = w.memory.Do(limit, op)[0]
		}
	}
	w.note("answered")
	return all
}

func (w *world) Read(limit time.Duration) (have lvs.Table, o judge.Outcome) {
	if o = w.ask("read", limit); o.Err == nil {
		have, o = w.memory.Read(limit)
	}
	delete(have, w.torn)
	w.torn = lvs.Key{}
	return w.carry(have), o
}

func (w *world) Services(limit time.Duration, keys ...lvs.Key) (have lvs.Table, o judge.Outcome) {
	if o = w.ask("counters", limit); o.Err == nil {
		have, o = w.memory.Services(limit, keys...)
	}
	return w.carry(have), o
}

func (w *world) carry(have lvs.Table) lvs.Table {
	if w.carries == nil {
		return have
	}
	return withCounters(have, func(_ lvs.Key, d lvs.Dest) lvs.Counters { return w.carries[d.Addr] })
}

func (w *world) Take(keys, left []lvs.Key) (taken, beside map[lvs.Key]string) {
	w.note("claim %d, left %d", len(keys), len(left))
	if w.taken != nil {
		return w.taken, w.taken
	}
	return nil, w.beside
}

func (w *world) Set(tasks []*schedule.Task, heirs map[*schedule.Task]*schedule.Task) {
	w.heirs = len(heirs)
	if len(tasks) != w.begun {
		w.begun = len(tasks)
		w.note("checks %d", w.begun)
	}
}

// file makes a plan of a configuration, whose names may have no address yet.
func (w *world) file(text string) Plan {
	w.Helper()
	o := parser.Options{Resolver: w, Wait: true}
	if w.plan != nil {
		o.Last = resolve.Index(w.plan.Config.Names).Last(func(resolve.Key) []netip.Addr { return nil })
	}
	w.plan = plannedWith(w, text, neverChecked, o)
	return Ready(w.plan)
}

func (w *world) Host(_ context.Context, name string, _ bool) ([]netip.Addr, error) {
	if a, is := w.names[name]; is {
		return []netip.Addr{a}, nil
	}
	return nil, unanswered.Err
}

// begin begins with a configuration.
func (w *world) begin(text string) {
	w.Helper()
	w.Core = New(w.before, Performers{Checks: w, Watches: &watched{note: w.note}, Claims: w, Marks: true,
		Await: func() func() { return func() {} }})
	w.e = testkit.Must(w.Begin(w.now, w, w.file(text), maintenance.Reading{}))(w)
	w.pending()
	if !w.slow {
		w.perform()
	}
}

// start begins with a configuration, whose servers pass.
func (w *world) start(text string) {
	w.Helper()
	w.begin(text)
	w.results(true, "")
	w.pass(2 * time.Second)
	w.did = nil
}

// reload puts another configuration in force.
func (w *world) reload(text string) {
	w.Helper()
	w.Replace(w.now, w.file(text), maintenance.Reading{}, false)
	w.step()
}

// step makes a step, and carries out its slow orders.
func (w *world) step() {
	w.e = w.Step(w.now)
	w.pending()
	if !w.slow {
		w.perform()
	}
}

// pending keeps the slow orders of a step.
func (w *world) pending() {
	e := w.e
	if e.SetRules {
		w.rules = &e.Rules
	}
	if e.Place {
		w.wanted = &e.Wanted
	}
}

// perform carries out slow orders until there are none.
func (w *world) perform() {
	for w.rules != nil || w.wanted != nil {
		if rules := w.rules; rules != nil {
			w.rules = nil
			w.note("rules %d", len(*rules))
			w.Marked(w.now, *rules, nil, nil)
		}
		if wanted := w.wanted; wanted != nil {
			w.wanted = nil
			w.place(*wanted)
		}
		w.e = w.Step(w.now)
		w.pending()
	}
}

// place puts addresses on devices.
func (w *world) place(want []lvs.Wanted) {
	var where []string
	places := announce.Placed(want)
	for i, one := range want {
		at := strings.TrimSpace(fmt.Sprint(one.Addr, " on ", one.Device))
		if one.Undecided {
			at = fmt.Sprint(one.Addr, " stays")
			if one.Addr == w.there.Addr {
				places[i] = w.there
			}
		}
		where = append(where, at)
	}
	w.note("place %s", strings.Join(where, ", "))
	if w.lost {
		w.Placed(w.now, nil, unanswered.Err)
		return
	}
	w.Placed(w.now, places, nil)
}

// pass lets time pass, with all steps that it makes due.
func (w *world) pass(d time.Duration) {
	end := w.now.Add(d)
	for range 10000 {
		if w.e.Next.IsZero() || w.e.Next.After(end) {
			w.now = end
			w.step()
			return
		}
		if w.e.Next.After(w.now) {
			w.now = w.e.Next
		}
		w.step()
	}
	w.Fatal("time does not pass: a step makes itself due")
}

// results gives the checks of a server, or of all, a result.
func (w *world) results(ok bool, server string) { w.result(checker.Result{OK: ok}, server) }

func (w *world) result(r checker.Result, server string) {
	w.give(r, func(e *plan.Entry) bool { return strings.HasSuffix(e.Real.Addr.String(), server) })
}

// give gives the checks of these servers a result.
func (w *world) give(r checker.Result, which func(*plan.Entry) bool) {
	var all []*schedule.Task
	for _, s := range w.plan.Services {
		for _, e := range s.Entries {
			if e.First.Task != nil && which(e) {
				all = append(all, e.First.Task)
			}
		}
	}
	w.Results(w.now, updates(all, r, w.now))
	w.step()
}

// first is the first virtual service of a snapshot.
func (w *world) first() view.Virtual { return w.Snapshot(w.now).Virtuals[0] }

// watched are idle connections. They note when they begin and end.
type watched struct {
	note      func(format string, args ...any)
	all, open map[netip.AddrPort]*schedule.Watch
}

func (c *watched) Set(all map[netip.AddrPort]*schedule.Watch) {
	c.all = all
	for to, was := range c.open {
		if now := all[to]; now == nil || now.OnLink != was.OnLink || now.Silence != was.Silence {
			c.Attend(to, false)
		}
	}
}

func (c *watched) Attend(to netip.AddrPort, up bool) {
	switch now := c.all[to]; {
	case up == (c.open[to] != nil):
	case !up:
		delete(c.open, to)
		c.note("%v is not watched", to)
	case now != nil:
		if c.open == nil {
			c.open = map[netip.AddrPort]*schedule.Watch{}
		}
		c.open[to] = now
		c.note("%v is watched, silence %v", to, now.Silence)
	}
}

// saw returns what was asked since the last call, without what begins with one of these words.
func (w *world) saw(without ...string) string {
	seen := slices.DeleteFunc(w.did, func(what string) bool {
		return slices.ContainsFunc(without, func(word string) bool { return strings.HasPrefix(what, word) })
	})
	w.did = nil
	return strings.Join(seen, "\n")
}

// real is the nth real server of web, web a section with the nth address and two servers, marked one with a mark.
func real(n int) string { return fmt.Sprintf("\treal = 10.2.0.%d:80 gate 4\n", n) }
func web(n int) string {
	return fmt.Sprintf("virtual = 10.1.0.%d:80\n", n) + real(1) + real(2) + "\tchecktype = connect\n"
}

const marked = "virtual = 7\n\tmark = 10.1.0.1 tcp 80\n\treal = 10.2.0.1 gate 4\n\treal = 10.2.0.2 gate 4\n" +
	"\tcheckport = 80\n\tchecktype = connect\n"

// keyOf is the first virtual service of a configuration.
func keyOf(t testing.TB, text string) lvs.Key {
	return planned(t, text).Services[0].Config.Key
}
