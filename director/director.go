package director

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"ldirectord/checker"
	"ldirectord/ipvsctl"
	"ldirectord/notify"
	"ldirectord/parser"
)

// ErrHandover as the cause of Run's context makes it leave the table as it is, for a daemon that takes
// over.
var ErrHandover = errors.New("handed over to another daemon")

// Limits on what the director waits for.
const (
	tableTimeout = 15 * time.Second       // one change or reading of the table
	stopTimeout  = 20 * time.Second       // cleaning up at the end
	firstRetry   = 100 * time.Millisecond // after a failed change; doubles up to the checkinterval
	leastDrift   = time.Second            // between two looks for changes by hand
)

// Deps are what a director works with.
type Deps struct {
	Table   ipvsctl.Client // owned by the director while it runs
	Journal *notify.Journal
	// Hooks runs the operator's commands.
	Hooks interface{ Run(notify.Hook) }
	// Monitor writes monitorfiles; nil: there are none in the plans.
	Monitor interface {
		Record(file, id string, up bool, message string)
	}
	// Watch signals changes of a folder's entries until ctx is done; nil: it is only polled.
	Watch func(ctx context.Context, dir string) <-chan struct{}
	// Marks keeps the mark rules; nil: there are none in the plans, or nobody keeps them.
	Marks Marks
	// Former are virtual services of the daemon before, which handed over or crashed: those that the
	// plan does not have are purged.
	Former []ipvsctl.Key
	// Ours, if not nil, hears which virtual services may be in the table by us: before one is added and
	// after one was removed. What it heard last is Former for the daemon after a crash or a handover.
	Ours func([]ipvsctl.Key)
	// Drained are the servers that get no new connections, from the start on.
	Drained map[Place]bool
	// Standby has the director begin as one that stands by, see SetStandby.
	Standby bool
	// Alive, if not nil, is called by the goroutine that decides: at least once in Pulse, and after each
	// answer of the table. It stays away when that goroutine is stuck. It must not block.
	Alive func()
	Pulse time.Duration
}

// Director keeps the table true. Its methods may be called from any goroutine.
type Director struct {
	deps      Deps
	pool      *checker.Pool
	reloads   chan reload
	drains    chan map[Place]bool
	roles     chan role
	snapshots chan chan<- *Snapshot
	started   chan struct{} // closed when every virtual service and its mark rules were set up once
	settled   chan struct{} // closed when no server is unknown

	// What follows belongs to the goroutine of Run.
	global    *parser.Global
	virtuals  []*virtual
	purges    []*virtual // not configured any more, still in the table
	checks    map[*checker.Task]*check
	waiting   int // checks without a result yet
	status    notify.Status
	drained   map[Place]bool
	standby   bool
	keeper    *keeper // of maintenancedir
	marker    *marker
	awaiting  []chan<- struct{} // who waits for the mark rules to follow
	unread    string            // why the table could not be read the last time
	asked     Operations
	shortages uint64
}

// check is what the director knows of a check that runs.
type check struct {
	users []user // who lives by it
	last  checker.Result
	at    time.Time // of last, up to a second late
	known bool      // last is a result
}

// user is a real server of a virtual service.
type user struct {
	v *virtual
	s *server
}

type reload struct {
	plan *Plan
	done chan struct{}
}

// New returns a director that does nothing until Run.
func New(d Deps) *Director {
	return &Director{
		deps:      d,
		drained:   d.Drained,
		standby:   d.Standby,
		pool:      checker.NewPool(),
		reloads:   make(chan reload),
		drains:    make(chan map[Place]bool),
		roles:     make(chan role),
		snapshots: make(chan chan<- *Snapshot),
		started:   make(chan struct{}),
		settled:   make(chan struct{}),
	}
}

// Started is closed when every virtual service of the plan and its mark rules have been set up, or the
// failure told.
func (d *Director) Started() <-chan struct{} { return d.started }

// Settled is closed when the first result of every server is in the table.
func (d *Director) Settled() <-chan struct{} { return d.settled }

// Run keeps the table as the plan and the checks say until ctx is done. Then it removes what
// cleanstop says, unless the cause is ErrHandover. It returns an error only when it could not begin.
func (d *Director) Run(ctx context.Context, p *Plan) error {
	have, err := d.read(ctx)
	if err != nil && ctx.Err() == nil {
		return fmt.Errorf("reading the table: %w", err)
	}
	poolCtx, stopPool := context.WithCancel(context.WithoutCancel(ctx))
	poolDone := make(chan struct{})
	go func() { defer close(poolDone); d.pool.Run(poolCtx) }()
	d.keeper = newKeeper(poolCtx, d.deps.Watch)
	d.marker = newMarker(poolCtx, d.deps.Marks)
	d.begin(ctx, p, have)
	d.loop(ctx)
	stopPool()
	<-poolDone
	<-d.marker.done
	if errors.Is(context.Cause(ctx), ErrHandover) {
		return nil
	}
	d.cleanup(context.WithoutCancel(ctx))
	return nil
}

// Reload makes the plan the one to keep. It returns when the table follows it, or ctx is done.
func (d *Director) Reload(ctx context.Context, p *Plan) error {
	r := reload{plan: p, done: make(chan struct{})}
	return give(ctx, d.reloads, r, r.done)
}

// give hands an order to the director and waits until it is done, or ctx is.
func give[T any](ctx context.Context, orders chan<- T, order T, done <-chan struct{}) error {
	select {
	case orders <- order:
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (d *Director) loop(ctx context.Context) {
	drift := time.NewTimer(d.driftInterval())
	retry := time.NewTimer(0)
	defer drift.Stop()
	defer retry.Stop()
	pulse := time.NewTicker(cmp.Or(d.deps.Pulse, time.Hour))
	defer pulse.Stop()
	started, settled := false, false
	for {
		if d.marker.idle() {
			if !started {
				started = true
				close(d.started)
			}
			for _, done := range d.awaiting {
				close(done)
			}
			d.awaiting = nil
		}
		if d.waiting == 0 {
			d.status = notify.StatusRunning
			if !settled {
				settled = true
				close(d.settled)
			}
		}
		if wait, any := d.nextRetry(); any {
			retry.Reset(wait)
		}
		select {
		case <-ctx.Done():
			return
		case <-d.pool.Results():
			d.results(d.pool.Take())
		case files := <-d.keeper.changes:
			d.maintain(files)
			d.observe()
		case places := <-d.drains:
			d.drain(places)
			d.observe()
		case r := <-d.roles:
			d.take(ctx, r)
		case r := <-d.reloads:
			d.reload(ctx, r.plan)
			d.awaiting = append(d.awaiting, r.done)
		case reply := <-d.snapshots:
			reply <- d.snapshot()
			continue
		case d.marker.next() <- d.marker.want:
			d.marker.due, d.marker.busy = false, true
		case m := <-d.marker.reports:
			d.marked(m)
		case <-drift.C:
			d.look(ctx)
			d.marker.look()
			drift.Reset(d.driftInterval())
		case <-retry.C:
		case <-pulse.C:
			d.alive()
		}
		d.sync(ctx)
	}
}

// driftInterval is the shortest checkinterval, less a little so that what vanished is back within one.
func (d *Director) driftInterval() time.Duration {
	shortest := d.global.CheckInterval
	for _, v := range d.virtuals {
		shortest = min(shortest, v.cfg.CheckInterval)
	}
	return max(shortest, leastDrift) * 9 / 10
}

// results takes what the checks found. The verdict is each virtual service's own.
func (d *Director) results(updates []checker.Update) {
	now := time.Now()
	for _, u := range updates {
		c, ok := d.checks[u.Task]
		if !ok {
			continue
		}
		for _, x := range c.users {
			x.s.tally.count(u.Result)
			x.v.took.count(u.Result.Took)
		}
		d.warnOnce(c, u.Result)
		if u.Result.Local {
			d.shortages++
			d.shortage(c.users, u.Result)
			continue
		}
		if !c.known {
			c.known = true
			d.waiting--
		}
		c.last, c.at = u.Result, now
		c.last.Said = "" // only monitor asks for it
		for _, x := range c.users {
			d.monitor(x.v, x.s, u.Result)
			d.judge(x.v, x.s, u.Result)
		}
	}
}

// judge applies one result to one server of one virtual service.
func (d *Director) judge(v *virtual, s *server, r checker.Result) {
	before := s.health
	next, changed := before.Next(r.OK, s.rule)
	s.health, s.shortages = next, 0
	if !r.OK {
		s.reason = r.Detail
	}
	softly, _ := before.Soft(s.rule)
	switch {
	case changed && !r.OK:
		d.say(v, s, notify.CheckFailed, fmt.Sprintf("Check failed: %s (%s): %s", s.name, v.cfg.ID, r.Detail), r.Detail)
	case r.OK && (changed && before.State == checker.Down || before.State == checker.Up && softly > 0 && next.Streak == 0):
		d.say(v, s, notify.SoftReset, fmt.Sprintf("Resetting soft failure count: %s (%s)", s.name, v.cfg.ID), "")
	case !r.OK && next.State == checker.Up:
		failed, limit := next.Soft(s.rule)
		d.say(v, s, notify.SoftFailure, fmt.Sprintf("Soft failure real server: %s (%s) failure %d/%d", s.name, v.cfg.ID, failed, limit), r.Detail)
	}
	if changed {
		s.moved, v.dirty = true, true
		s.observe()
		if before.State != checker.Unknown {
			s.tally.Transitions++
		}
	}
}

// shortage counts results that say nothing about a server; three in a row are an alarm.
func (d *Director) shortage(users []user, r checker.Result) {
	for _, x := range users {
		if x.s.shortages++; x.s.shortages == 3 {
			text := fmt.Sprintf("Own shortage: %s (%s) can't be checked, its state stays %s: %s", x.s.name, x.v.cfg.ID, x.s.health.State, r.Detail)
			d.say(x.v, x.s, notify.LocalShortage, text, r.Detail)
		}
	}
}

func (d *Director) warnOnce(c *check, r checker.Result) {
	if r.Warning == "" || c.last.Warning == r.Warning {
		return
	}
	for _, x := range c.users {
		d.say(x.v, x.s, notify.CheckWarning, fmt.Sprintf("Check warning: %s (%s): %s", x.s.name, x.v.cfg.ID, r.Warning), r.Warning)
	}
}

func (d *Director) say(v *virtual, s *server, kind notify.Kind, text, reason string) {
	d.emit(notify.Event{Kind: kind, Virtual: v.cfg.ID, Real: s.name, Text: text, Reason: reason})
}

// emit records an event with the status that the daemon has.
func (d *Director) emit(e notify.Event) {
	e.Status = d.status
	d.deps.Journal.Emit(e)
}

// alive shows that the goroutine that decides is not stuck.
func (d *Director) alive() {
	if d.deps.Alive != nil {
		d.deps.Alive()
	}
}

func (d *Director) read(ctx context.Context) (ipvsctl.Table, error) {
	ctx, cancel := context.WithTimeout(ctx, tableTimeout)
	defer cancel()
	defer d.alive()
	table, err := d.deps.Table.Read(ctx)
	d.asked.count(readTable, err)
	return table, err
}
