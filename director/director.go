// Package director turns a plan and the results of checks into the desired IPVS table, and writes it. One goroutine
// owns all of its state.
package director

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"ldirectord/checker/schedule"
	"ldirectord/history"
	"ldirectord/ipvsctl"
	"ldirectord/judge"
	"ldirectord/lvs"
	"ldirectord/maintenance"
	"ldirectord/notify"
	"ldirectord/orders"
	"ldirectord/parser"
	"ldirectord/plan"
	"ldirectord/view"
)

// ErrHandover, as the cause of Run's context, makes Run leave the table as it is for the daemon that takes over.
var ErrHandover = errors.New("handed over to another daemon")

const (
	stopTimeout = 20 * time.Second // the longest time for cleaning up at a stop
	minDrift    = time.Second      // between two drift checks
)

// Deps are the collaborators of a director.
type Deps struct {
	Table ipvsctl.Client // owned by the director while it runs
	Tell  []Receiver     // the receivers of changes
	// Maintenance sends the servers that the files of dir put into maintenance: once as soon as they are known,
	// then at each change, until ctx is done. It must not block. It is called only for plans with a maintenancedir.
	Maintenance func(ctx context.Context, dir string, servers []maintenance.Server) <-chan maintenance.Reading
	// Marks keeps the mark rules; nil: plans have none, or nothing keeps them.
	Marks Marks
	// Announcer puts addresses on devices; nil: the director only notes where they should be. Withdraw: the
	// previous daemon may have left addresses, even if the plan has none.
	Announcer Announcer
	Withdraw  bool
	// Former are the virtual services of the previous daemon, which handed over or crashed. The director purges
	// those that the plan does not have.
	Former []lvs.Key
	// Claims, if not nil, knows which virtual services other daemons have. After a crash or a handover, the last
	// claims become Former of the next daemon.
	Claims Claims
	// Through, if not nil, is called with the virtual addresses that checks must not use, because other daemons
	// have their services.
	Through func(left map[netip.Addr]bool)
	// Leavers are servers that left the configuration of the previous daemon and still had connections.
	Leavers []judge.Record
	// Leave, if not nil, is called with the leaving servers at each change, before the table changes. Its last
	// argument becomes Leavers of the next daemon.
	Leave func([]judge.Record)
	// Moving are the servers whose weights were changing when the previous daemon ended. Move, if not nil, is
	// called with them when that changes, before the table changes, but at most once a second.
	Moving []judge.Record
	Move   func([]judge.Record)
	// Orders apply from the start on.
	Orders orders.All
	// Standby makes the director start on standby, see SetStandby.
	Standby bool
	// Alive, if not nil, is called by the director's goroutine at least once in each Pulse and after each answer of
	// the table. If that goroutine hangs, the calls stop and a watchdog can fire. It must not block.
	Alive func()
	Pulse time.Duration
}

// Director keeps the table in line with the plan and the checks. Its exported methods may be called from any goroutine.
//
// One goroutine owns its whole state: each event of that goroutine's loop is a method, and no lock is needed. Parts
// that may run later, or need little of that state, are types that do not know the director: writer, examiner, teller,
// marker, announcer, claimant, orderBook, maintainer, leavers, observer, movers, conversations.
type Director struct {
	deps    Deps
	orders  requests
	started chan struct{}   // closed when every virtual service and its mark rules have been set up once
	settled chan struct{}   // closed when no server is unknown
	life    context.Context // ends with Run
	die     context.CancelFunc

	// The fields below belong to the goroutine of Run.
	services
	writer    writer
	examiner  examiner
	claims    <-chan struct{} // signals that claims of other daemons may have changed; nil: there are none
	claimant  claimant
	remover   remover
	ordered   orderBook
	leavers   leavers
	observer  observer
	movers    movers
	folder    maintainer
	marker    *marker
	announcer *announcer
	awaiting  []chan<- struct{} // callers that wait for a demotion or for mark rules
}

// New returns a director. It does nothing before Run.
func New(deps Deps) *Director {
	d := &Director{
		deps:    deps,
		orders:  make(requests),
		started: make(chan struct{}),
		settled: make(chan struct{}),
	}
	d.life, d.die = context.WithCancel(context.Background())
	all, pool := &d.services, schedule.NewPool()
	d.standby = deps.Standby
	d.tell = teller{receivers: append([]Receiver{count, remember, shift}, deps.Tell...), global: &parser.Global{}}
	d.leavers = leavers{services: all, records: records{deps.Leavers, deps.Leave}}
	d.movers = movers{services: all, records: records{deps.Moving, deps.Move}}
	d.folder = maintainer{services: all, folder: folder{end: func() {}}}
	d.marker = newMarker(all, deps.Marks)
	d.announcer = &announcer{services: all, kernel: deps.Announcer, marks: d.marker,
		looked: !deps.Withdraw, moved: d.tellState}
	d.announcer.aside = newAside(d.announcer.put)
	d.announcer.due = deps.Withdraw
	d.examiner = examiner{services: all, pool: pool, watches: &pool.Watches,
		said: conversations{tape: pool.Tape, kept: map[*schedule.Task]view.Conversation{}}}
	d.observer = observer{services: all, examiner: &d.examiner}
	d.hold.Given(deps.Orders)
	d.ordered = orderBook{services: all, examiner: &d.examiner, announcer: d.announcer}
	d.claimant = claimant{services: all, claims: deps.Claims, through: deps.Through,
		marker: d.marker, announcer: d.announcer}
	if deps.Claims != nil {
		d.claims = deps.Claims.Changed()
	}
	d.remover = remover{claimant: &d.claimant, writer: &d.writer}
	d.writer = writer{services: all, others: &d.claimant, remover: &d.remover,
		decided: d.movers.note, wrote: d.tellState}
	d.writer.table = table{client: deps.Table, alive: func() { // the director's goroutine does not hang
		d.tell.clock = time.Time{} // time has passed
		if deps.Alive != nil {
			deps.Alive()
		}
	}}
	d.writer.before = func() {
		if d.examiner.endMoved() || d.writer.left {
			d.writer.left = false
			d.leavers.record()
		}
		d.movers.record(false)
	}
	return d
}

// Started is closed when every virtual service of the plan and its mark rules have been set up, or the failure has
// been reported.
func (d *Director) Started() <-chan struct{} { return d.started }

// Settled is closed when the first result of every server is in the table.
func (d *Director) Settled() <-chan struct{} { return d.settled }

// Run keeps the table in line with the plan and the checks until ctx is done. Then it removes virtual services
// according to cleanstop, unless the cause is ErrHandover. It fails only if it could not read the table at the start.
func (d *Director) Run(ctx context.Context, p *plan.Plan) error {
	defer d.die()
	f := d.deps.openFolder(ctx, d.life, p)
	have, err := d.writer.read(ctx)
	if err != nil && ctx.Err() == nil {
		return fmt.Errorf("reading the table: %w", err)
	}
	poolCtx, stopPool := context.WithCancel(context.WithoutCancel(ctx))
	var pool sync.WaitGroup
	pool.Go(func() { d.examiner.pool.Run(poolCtx) })
	d.begin(ctx, p, f, have)
	d.loop(ctx)
	stopPool()
	pool.Wait()
	d.movers.record(true)
	d.leaveTable(ctx)
	return nil
}

// leaveTable cleans up at a stop, within stopTimeout: virtual services first, because mark rules may take long.
func (d *Director) leaveTable(ended context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ended), stopTimeout)
	defer cancel()
	handedOver := errors.Is(context.Cause(ended), ErrHandover)
	if !handedOver {
		d.cleanup(ctx)
		d.announcer.settle(ctx)
	}
	if !d.marker.isOver(ctx) {
		d.tell.line(notify.TableError, "Mark rules can't be removed: an earlier change of them has not ended")
		return
	}
	if !handedOver && !d.marker.now().IsClear() {
		cleans := func(v *virtual) bool { return v.Config.CleanStop }
		d.marker.took(d.marker.set(ctx, rulesOf(slices.DeleteFunc(slices.Clone(d.ours), cleans))))
	}
}

// Reload puts a plan in force. It returns when the table follows it, or when ctx is done.
func (d *Director) Reload(ctx context.Context, p *plan.Plan) error {
	return d.replace(ctx, p, false)
}

// Refine replaces the current plan by one that differs only in servers whose names have got an address. Until then
// such servers are unknown and in no table. They count as down, so that the fallback server can serve. A destination
// that was in the table at the start may be one of them, so it is kept as it is until every name has an address.
// Servers that left the file when such a name was added stay too, and are checked. Unlike a reload it keeps overrides.
// It returns when the table follows, or when ctx is done.
func (d *Director) Refine(ctx context.Context, p *plan.Plan) error {
	return d.replace(ctx, p, true)
}

// replace hands a new plan to the director, with the contents of its maintenancedir. For refining, see Refine.
func (d *Director) replace(ctx context.Context, p *plan.Plan, refines bool) error {
	f := d.deps.openFolder(ctx, d.life, p)
	virtuals := virtualsOf(p)
	err := d.orders.submit(ctx, func(ctx context.Context, done chan<- struct{}) {
		d.reload(ctx, p, virtuals, f, refines)
		d.awaiting = append(d.awaiting, done)
	})
	if errors.Is(err, errNotTaken) {
		f.end()
	}
	return err
}

// errNotTaken is the error of an order that never reached the director.
var errNotTaken = errors.New("the director did not take the order")

// requests are carried out by the goroutine of Run.
type requests chan func(context.Context)

// submit hands a request to the director's goroutine and waits until that closes done, or until ctx is done.
func (r requests) submit(ctx context.Context, order func(ctx context.Context, done chan<- struct{})) error {
	done := make(chan struct{})
	select {
	case r <- func(ctx context.Context) { order(ctx, done) }:
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
	started, settled := sync.OnceFunc(func() { close(d.started) }), sync.OnceFunc(func() { close(d.settled) })
	for {
		// before the first order, which would otherwise withdraw the addresses of the previous daemon
		d.announce()
		d.marker.start(ctx)
		d.announcer.start(ctx)
		if d.marker.idle() && d.demotion == nil {
			started()
			for _, done := range d.awaiting {
				close(done)
			}
			d.awaiting = nil
		}
		if d.examiner.waiting == 0 {
			d.tell.status = lvs.StatusRunning
			settled()
		}
		d.tell.clock = time.Time{}
		if wait := d.nextLook(); wait < never {
			retry.Reset(wait)
		}
		select {
		case <-ctx.Done():
			return
		case <-d.examiner.pool.Results():
			d.examiner.results(d.examiner.pool.Take())
		case r := <-d.folder.readings:
			d.folder.obey(r)
		case order := <-d.orders:
			order(ctx)
		case <-d.demotion:
			d.demote(ctx)
		case m := <-d.marker.reports:
			d.marked(m)
		case p := <-d.announcer.reports:
			d.announcer.took(p)
		case <-d.announcer.changes:
			d.announcer.recheck()
		case <-d.claims:
			if d.demotion == nil {
				d.claimant.record()
			}
			d.writer.sync(ctx, nil)
			d.writer.checkDrift(ctx) // a virtual service of a daemon that stopped is back at once
		case <-drift.C:
			d.writer.checkDrift(ctx)
			d.marker.recheck()
			d.announcer.recheck()
			drift.Reset(d.driftInterval())
		case <-d.leavers.lookAt:
			d.leavers.look(ctx, &d.writer.table)
		case <-d.observer.lookAt:
			d.observer.look(ctx, &d.writer.table)
		case <-retry.C:
		case <-pulse.C:
			d.writer.alive()
		}
		if until(d.ordered.next) <= 0 {
			d.ordered.apply()
		}
		d.writer.sync(ctx, nil)
	}
}

// marked handles the result of an order for mark rules.
func (d *Director) marked(r marked) {
	d.marker.took(r)
	d.announcer.stale = true
	for _, v := range d.ours {
		if len(v.Marks) == 0 {
			continue
		}
		for _, what := range r.fixed {
			if v.Key().IPv6 == strings.HasPrefix(what, "IPv6") {
				what = "changed externally: mark rules: " + what + "; restored"
				d.tell.note(history.Changed, what, v.servers...)
			}
		}
		d.tellState(v)
	}
}

// announce decides again where the addresses belong, after a change.
func (d *Director) announce() {
	a, now := d.announcer, time.Now()
	for _, v := range d.agenda.open {
		if v.isUnweighed() {
			v.Weigh()
			v.weighed, a.stale = true, true
		}
	}
	a.follow(d.life)
	if !a.stale && until(a.look) > 0 {
		return
	}
	a.decide(now)
	if d.examiner.held {
		d.examiner.run(nil)
	}
}

// nextLook is the time until the next retry of a failed change, the next decision on an address, or the next look at
// the clock for the end of an order.
func (d *Director) nextLook() time.Duration {
	wait := d.writer.nextRetry(d.agenda.open, slices.DeleteFunc(slices.Clone(d.purges), d.remover.mayNotGo))
	if next := until(d.ordered.next); next < never {
		wait = min(wait, next, clockLook)
	}
	return min(wait, until(d.announcer.look), until(d.movers.due))
}
