package core

import (
	"maps"
	"net/netip"
	"slices"
	"time"

	"ldirectord/internal/announce"
	"ldirectord/internal/maintenance"
	"ldirectord/internal/notify"
	"ldirectord/internal/plan"
	"ldirectord/internal/testkit"
)

// This file drives a core as the director's loop does, with one goroutine and a clock that the test holds.

// timeline is the time of a world, and what happens when.
type timeline struct {
	now    time.Time
	played time.Time     // all that was due until then has happened
	due    []moment      // by their time
	plays  int           // at this time
	daemon func() moment // what the daemon does next; nil: there is none
}

// moment is something that happens at a time; zero: never.
type moment struct {
	at   time.Time
	play func()
}

func (t *timeline) since(at time.Time) time.Duration { return t.now.Sub(at) }

// after has something happen after this time.
func (t *timeline) after(d time.Duration, play func()) {
	at := t.now.Add(d)
	i := len(t.due)
	for i > 0 && t.due[i-1].at.After(at) {
		i--
	}
	t.due = slices.Insert(t.due, i, moment{at, play})
}

// next plays what is due first, unless that is after the end.
func (t *timeline) next(end time.Time) (played bool) {
	var first, own moment
	if len(t.due) > 0 {
		first = t.due[0]
	}
	if t.daemon != nil {
		own = t.daemon()
	}
	isOwn := first.play == nil || own.play != nil && own.at.Before(first.at)
	if isOwn {
		first = own
	}
	if first.play == nil || first.at.After(end) {
		return false
	}
	if !isOwn {
		t.due = t.due[1:]
	}
	if t.plays++; first.at.After(t.now) {
		t.now, t.plays = first.at, 0
	} else if t.plays > 100_000 {
		panic("time does not pass: a step makes itself due")
	}
	t.played = latest(t.played, first.at)
	first.play()
	return true
}

// pass lets time pass.
func (t *timeline) pass(d time.Duration) {
	end := t.now.Add(d)
	t.wait(end, func() bool { return false })
}

// wait lets time pass until something is over, or to the end.
func (t *timeline) wait(end time.Time, isOver func() bool) {
	for !isOver() {
		if !t.next(end) {
			t.now, t.played = latest(t.now, end), latest(t.played, end)
			return
		}
	}
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// driver is a core, and what carries out its decisions.
type driver struct {
	*Core
	*timeline
	c       *chaos
	pool    pool
	idle    idle
	table   *judged
	folder  *folder
	effects Effects
	awaited int  // receivers that the end waits for
	placing bool // an order for addresses is in progress
	marking bool // one for mark rules
	over    bool // the daemon ends: there are no events any more
	gone    bool // it has ended, or crashed
}

// begin begins a daemon with a plan.
func (c *chaos) begin(p *plan.Plan) *driver {
	c.oracle.pass(c.coin)
	d := &driver{timeline: c.timeline, c: c, table: c.oracle.live(c.table)}
	d.pool = pool{driver: d, jobs: jobs{}}
	d.idle = idle{watched{note: func(string, ...any) {}}, &d.pool}
	o := c.oracle
	log := func(e notify.Event) { c.say("log: %s", e.Text) }
	d.Core = New(World{
		Announced: d.c.devices.record(), Tell: []Receiver{Words(log), Posts(d.post), Commands(d.run)},
		Orders: o.given(), Former: o.ours, Standby: o.role == resting,
		Departing: o.recorded, Leave: o.keep(&o.recorded), Moving: o.moving, Move: o.keep(&o.moving),
	}, Performers{Checks: &d.pool, Watches: &d.idle, Claims: o, Marks: true, Await: d.await})
	o.core = d.Core
	e := testkit.Must(d.Begin(d.now, d.table, Ready(p), d.open(p)))(c.t)
	d.timeline.daemon = d.due
	d.carryOut(e)
	d.settle()
	return d
}

// event gives the core an event.
func (d *driver) event(play func()) {
	if !d.over {
		play()
		d.carryOut(d.Step(d.now))
		d.c.oracle.after(d.Core)
	}
}

// carryOut begins the slow orders of a step.
func (d *driver) carryOut(e Effects) {
	if d.effects = e; e.Place {
		d.perform(&d.placing, func(err error) {
			var all []announce.Place
			if err == nil {
				all = d.c.devices.sync(e.Wanted)
			}
			d.event(func() { d.Placed(d.now, all, err) })
		})
	}
	if e.SetRules {
		d.perform(&d.marking, func(err error) {
			if err == nil {
				d.c.devices.rules = e.Rules
			}
			d.event(func() { d.Marked(d.now, e.Rules, nil, err) })
		})
	}
}

// perform carries out an order, which may take its time, or fail.
func (d *driver) perform(busy *bool, order func(error)) {
	o, err := d.c.oracle, error(nil)
	if o.fails {
		o.failed, err = true, errRefused
	}
	if o.fails || o.takes > 0 {
		o.delayed = d.now
	}
	*busy = true
	d.after(o.takes, func() {
		if *busy = false; !d.gone {
			order(err)
		}
	})
}

// due is what the daemon does next.
func (d *driver) due() moment {
	first := d.pool.due()
	if at := d.effects.Next; first.play == nil || !at.IsZero() && !first.at.Before(at) {
		return moment{at, func() { d.event(func() {}) }}
	}
	return first
}

// settle lets time pass until no demotion and no order for mark rules is under way.
func (d *driver) settle() {
	d.wait(d.now.Add(time.Minute), func() bool { return d.effects.Idle })
	if !d.effects.Idle {
		d.c.complain("not idle after a minute")
	}
}

// replace puts another plan in force.
func (d *driver) replace(p *plan.Plan, refines bool) {
	first := d.open(p)
	d.event(func() { d.Replace(d.now, Ready(p), first, refines) })
	d.settle()
}

// folder is the maintenancedir of a plan, as last read.
type folder struct {
	plan *plan.Plan
	out  map[netip.AddrPort]string
}

// open begins to read the maintenancedir of a plan once a second.
func (d *driver) open(p *plan.Plan) maintenance.Reading {
	d.folder = &folder{p, d.c.oracle.filesFor(p)}
	d.after(time.Second, d.folder.look(d))
	return maintenance.Reading{Out: d.folder.out}
}

func (f *folder) look(d *driver) func() {
	return func() {
		if d.over || d.folder != f {
			return
		}
		d.after(time.Second, f.look(d))
		if out := d.c.oracle.filesFor(f.plan); !maps.Equal(out, f.out) {
			f.out = out
			d.event(func() { d.Maintained(d.now, maintenance.Reading{Out: out}) })
		}
	}
}

// filesFor are the files in maintenancedir, by the servers of a plan.
func (w *truth) filesFor(p *plan.Plan) map[netip.AddrPort]string {
	out := map[netip.AddrPort]string{}
	for _, s := range p.Services {
		for _, e := range slices.Concat(s.Reals(), s.Earlier) {
			if addr := e.Real.Addr; w.maintained[addr] {
				out[addr] = addr.String()
			}
		}
	}
	return out
}

// run is a command that takes two seconds. For one virtual service it never ends.
func (d *driver) run(h notify.Hook) { d.post(h.Key, h.Stdin, h.Ended) }

func (d *driver) post(virtual string, _ []byte, tried func()) {
	if tried != nil && virtual != keyFor(virtuals[2]).ID() {
		d.after(2*time.Second, tried)
	}
}

// await awaits one more receiver. The function that it returns ends that.
func (d *driver) await() (done func()) {
	d.awaited++
	return func() {
		if d.awaited--; d.awaited == 0 {
			d.event(func() { d.HooksEnded(d.now) })
		}
	}
}

// drop ends a daemon that crashed, or hands over. It changes nothing.
func (d *driver) drop() { d.over, d.gone, d.timeline.daemon = true, true, nil }

// stop ends the daemon, see the director's stop.
func (d *driver) stop() {
	d.over, d.timeline.daemon = true, nil
	d.End(d.now)
	d.Stop(d.now, d.table)
	d.wait(d.now.Add(time.Minute), func() bool { return !d.placing })
	d.withdraw()
	d.wait(d.now.Add(HooksTimeout), func() bool { return d.awaited == 0 })
	d.Clear(d.now)
	d.place()
	d.wait(d.now.Add(time.Minute), func() bool { return !d.marking })
	if left, any := d.RulesLeft(); any {
		d.c.devices.rules = left
		d.RulesSet(d.now, left, nil, nil)
	}
	d.drop()
}

// withdraw withdraws the addresses whose virtual services are about to be removed.
func (d *driver) withdraw() {
	for end := d.now.Add(d.WithdrawWait()); d.now.Before(end); {
		again, over := d.place()
		if over {
			return
		}
		d.pass(max(min(again.Sub(d.now), time.Second), 10*time.Millisecond))
	}
}

// place has addresses put where they belong, at the end.
func (d *driver) place() (again time.Time, over bool) {
	if !d.Announces() {
		return again, true
	}
	return d.Withdrew(d.now, d.c.devices.sync(d.Withdrawing(d.now)), nil)
}
