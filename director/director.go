package director

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"ldirectord/checker"
	"ldirectord/ipvsctl"
	"ldirectord/maintenance"
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
	// Maintenance sends which of the servers the files of dir take out, first as soon as that is known, then
	// when it changes, until ctx is done. It must not block, as maintenance.Watcher.Watch does not. It is only
	// called for plans with a maintenancedir.
	Maintenance func(ctx context.Context, dir string, servers []netip.AddrPort) <-chan maintenance.Reading
	// Marks keeps the mark rules; nil: there are none in the plans, or nobody keeps them.
	Marks Marks
	// Former are virtual services of the daemon before, which handed over or crashed: those that the
	// plan does not have are purged.
	Former []ipvsctl.Key
	// Owned, if not nil, hears which virtual services may be in the table by us: before one is added and
	// after one was removed. What it heard last is Former for the daemon after a crash or a handover.
	Owned func([]ipvsctl.Key)
	// Drained are the servers that get no new connections, from the start on.
	Drained map[Backend]bool
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
	drains    chan drainOrder
	roles     chan role
	snapshots chan chan<- *Snapshot
	started   chan struct{}   // closed when every virtual service and its mark rules were set up once
	settled   chan struct{}   // closed when no server is unknown
	life      context.Context // ends with Run
	die       context.CancelFunc

	// What follows belongs to the goroutine of Run.
	global   *parser.Global
	virtuals []*virtual
	purges   []*virtual // not configured any more, still in the table
	checks   map[*checker.Task]*check
	waiting  int // checks without a result yet
	status   notify.Status
	drained  map[Backend]bool
	standby  bool
	parting  parting
	folder   folder                    // maintenancedir
	out      map[netip.AddrPort]string // whom it took out when it could be read last
	marker   *marker
	awaiting []chan<- struct{} // who waits for the mark rules to follow
	// folderTrouble is why maintenancedir can't be read.
	folderTrouble string
	silence       silence // of the table
	unread        string  // why the table could not be read the last time
	asked         Operations
	shortages     uint64
}

// check is what the director knows of a check that runs.
type check struct {
	users []user // who lives by it
	last  checker.Result
	at    time.Time // of last, up to a second late
	known bool      // last is a result
	heard bool      // there was one, or one that is not to be waited for
}

// user is a real server of a virtual service.
type user struct {
	v *virtual
	s *server
}

type reload struct {
	plan    *Plan
	folder  folder
	refines bool // the current one, see Refine
	done    chan struct{}
}

// New returns a director that does nothing until Run.
func New(d Deps) *Director {
	life, die := context.WithCancel(context.Background())
	return &Director{
		deps:      d,
		life:      life,
		die:       die,
		folder:    folder{end: func() {}},
		drained:   d.Drained,
		standby:   d.Standby,
		pool:      checker.NewPool(),
		reloads:   make(chan reload),
		drains:    make(chan drainOrder),
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
	defer d.die()
	f := d.openFolder(ctx, p)
	have, err := d.read(ctx)
	if err != nil && ctx.Err() == nil {
		return fmt.Errorf("reading the table: %w", err)
	}
	poolCtx, stopPool := context.WithCancel(context.WithoutCancel(ctx))
	poolDone := make(chan struct{})
	go func() { defer close(poolDone); d.pool.Run(poolCtx) }()
	d.marker = newMarker(poolCtx, d.deps.Marks)
	d.begin(ctx, p, f, have)
	d.loop(ctx)
	stopPool()
	<-poolDone
	d.leaveTable(ctx)
	return nil
}

// leaveTable does what is to be done at the end, within stopTimeout: the virtual services first, because the mark
// rules may be waited for.
func (d *Director) leaveTable(ended context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ended), stopTimeout)
	defer cancel()
	handedOver := errors.Is(context.Cause(ended), ErrHandover)
	if !handedOver {
		d.cleanup(ctx)
	}
	select {
	case <-d.marker.done:
	case <-ctx.Done():
		d.emit(notify.Event{Kind: notify.TableError, Text: "Mark rules can't be removed: a change of them does not end"})
		return
	}
	if !handedOver {
		d.unmark(ctx)
	}
}

// Reload makes the plan the one to keep. It returns when the table follows it, or ctx is done.
func (d *Director) Reload(ctx context.Context, p *Plan) error {
	return d.replace(ctx, reload{plan: p})
}

// replace gives the director another plan, with what its maintenancedir says.
func (d *Director) replace(ctx context.Context, r reload) error {
	r.folder, r.done = d.openFolder(ctx, r.plan), make(chan struct{})
	err := give(ctx, d.reloads, r, r.done)
	if errors.Is(err, errNotTaken) {
		r.folder.end()
	}
	return err
}

// errNotTaken is an order that never reached the director.
var errNotTaken = errors.New("the director did not take the order")

// give hands an order to the director and waits until it is done, or ctx is.
func give[T any](ctx context.Context, orders chan<- T, order T, done <-chan struct{}) error {
	select {
	case orders <- order:
	case <-ctx.Done():
		return fmt.Errorf("%w: %w", errNotTaken, ctx.Err())
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
		case r := <-d.folder.readings:
			d.obey(r)
			d.observe()
		case o := <-d.drains:
			d.drain(o.backends)
			d.observe()
			d.sync(ctx)
			close(o.done)
		case <-d.parting.over:
			d.parted(ctx)
		case r := <-d.roles:
			d.take(ctx, r)
		case r := <-d.reloads:
			d.reload(ctx, r)
			d.awaiting = append(d.awaiting, r.done)
		case reply := <-d.snapshots:
			reply <- d.snapshot()
			continue
		case d.marker.next() <- d.marker.want:
			d.marker.due, d.marker.busy = false, true
		case m := <-d.marker.reports:
			d.marked(m)
			d.runOnChangeOfMarked()
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
	return max(shortest.Duration(), leastDrift) * 9 / 10
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
		if !c.heard {
			c.heard = true
			d.waiting--
		}
		if u.Result.Unjudged {
			d.unjudged(c.users, u.Result)
			continue
		}
		c.last, c.at, c.known = u.Result, now, true
		c.last.Body = "" // only monitor asks for it
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
	s.health, s.shortages, s.unjudged = next, 0, ""
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

// unjudged takes an answer that nobody can judge: the state stays. Each server is told of in the log, and the
// first of a virtual service by mail: the pattern is mostly that of all. After a quiet time it is told again.
func (d *Director) unjudged(users []user, r checker.Result) {
	now := time.Now()
	for _, x := range users {
		kind := notify.CheckWarning
		if now.Sub(x.v.unjudgedAt) > unjudgedQuiet {
			kind = notify.Unjudged
		}
		if now.Sub(x.s.unjudgedAt) > unjudgedQuiet {
			text := fmt.Sprintf("Check not judged: %s (%s), its state stays %s: %s", x.s.name, x.v.cfg.ID, x.s.health.State, r.Detail)
			d.say(x.v, x.s, kind, text, r.Detail)
			x.s.unjudgedAt = now
			x.v.unjudgedAt = now
		}
		x.s.unjudged = r.Detail
	}
}

// unjudgedQuiet is how long it is not told again that a server's answers can't be judged.
const unjudgedQuiet = time.Hour

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
