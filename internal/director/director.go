// Package director runs the core (internal/core) and decides nothing itself. Its loop passes one event at a time to the
// core, and carries out what the core returns. Here a Director is this loop; elsewhere a director is the machine on
// which the daemon runs.
package director

import (
	"cmp"
	"context"
	"errors"
	"sync"
	"time"

	"ldirectord/internal/core"
	"ldirectord/internal/lvs"
	"ldirectord/internal/maintenance"
	"ldirectord/internal/plan"
	"ldirectord/internal/schedule"
	"ldirectord/ipvsctl"
)

// ErrHandover, as the cause of Run's context, makes Run leave the table as it is for the daemon that takes over.
var ErrHandover = errors.New("handed over to another daemon")

// Deps holds the dependencies of a director.
type Deps struct {
	core.World
	Table ipvsctl.Client // owned by the director while it runs
	// Maintenance sends the servers that the files in dir put into maintenance, first as soon as they are known and
	// then at each change, until ctx is done. It must not block. It is called only for plans with a maintenancedir.
	Maintenance func(ctx context.Context, dir string, servers []maintenance.Server) <-chan maintenance.Reading
	// Marks sets the mark rules. It is nil if plans have no mark rules, or if nothing sets them.
	Marks Marks
	// Announcer puts addresses on devices. If it is nil, the director only notes where they should be.
	Announcer Announcer
	// Claims, if not nil, knows which virtual services other daemons have. After a crash or a handover, the last
	// claims become World.Former of the next daemon.
	Claims Claims
	// Alive, if not nil, is called by the director's goroutine at least once per Pulse and after each request to
	// the table. If that goroutine hangs, the calls stop and a watchdog can fire. It must not block.
	Alive func()
	Pulse time.Duration
}

// Claims reports the claims of other daemons, see core.Claims.
type Claims interface {
	core.Claims
	// Changed signals that the answers of Take may have changed.
	Changed() <-chan struct{}
}

// Director keeps the table in line with the plan and the checks. Its exported methods may be called from any goroutine.
// The goroutine of Run owns the core.
type Director struct {
	deps    Deps
	asked   requests
	readers requests        // of Snapshot
	started chan struct{}   // closed when every virtual service and its mark rules have been set up once
	settled chan struct{}   // see Settled
	life    context.Context // ends with Run
	die     context.CancelFunc

	// The fields below belong to the goroutine of Run.
	core      *core.Core
	pool      *schedule.Pool
	hooks     hooks
	folder    folder
	rules     background
	addresses background
	claims    <-chan struct{}   // nil: there are no other daemons
	changes   <-chan struct{}   // of addresses and devices; nil: not followed
	awaiting  []chan<- struct{} // callers that wait for a demotion or for mark rules
	left      []lvs.Key         // see Left
	sight     sight             // while readers get it
}

// New returns a director. It does nothing before Run.
func New(deps Deps) *Director {
	d := &Director{
		deps:    deps,
		asked:   make(requests),
		readers: make(requests),
		started: make(chan struct{}),
		settled: make(chan struct{}),
		pool:    schedule.NewPool(),
		hooks:   hooks{ended: make(chan struct{}, 1)},
	}
	d.life, d.die = context.WithCancel(context.Background())
	d.core = core.New(deps.World, d.performers(&d.pool.Watches))
	d.rules, d.addresses = newBackground(), newBackground()
	return d
}

func (d *Director) performers(watches core.Watches) core.Performers {
	by := core.Performers{Checks: d.pool, Watches: watches, Marks: d.deps.Marks != nil, Await: d.hooks.await}
	if d.deps.Claims != nil {
		by.Claims, d.claims = d.deps.Claims, d.deps.Claims.Changed()
	}
	return by
}

// Started returns a channel that is closed when all virtual services of the plan and their mark rules have been set up,
// or failures have been reported.
func (d *Director) Started() <-chan struct{} { return d.started }

// Settled returns a channel that is closed when the table reflects the first results of all real servers. If a check
// lacks resources on this machine, it delays Settled only until its third try.
func (d *Director) Settled() <-chan struct{} { return d.settled }

// Run keeps the table in line with the plan and the checks until ctx is done. Then it removes virtual services
// according to cleanstop, unless the cause is ErrHandover. It fails only if it could not read the table at the start.
func (d *Director) Run(ctx context.Context, p *plan.Plan) error {
	defer d.die()
	d.folder = d.openFolder(ctx, p)
	e, err := d.core.Begin(time.Now(), d.table(ctx), core.Ready(p), d.folder.first)
	if err != nil {
		return err
	}
	poolCtx, stopPool := context.WithCancel(context.WithoutCancel(ctx))
	var pool sync.WaitGroup
	pool.Go(func() { d.pool.Run(poolCtx) })
	d.loop(ctx, e)
	stopPool()
	pool.Wait()
	d.core.End(time.Now())
	d.stop(ctx)
	return nil
}

// Left returns the virtual services that a stop could not remove. Call it after Run.
func (d *Director) Left() []lvs.Key { return d.left }

// loop passes each event to the core, and carries out what the core decides.
func (d *Director) loop(ctx context.Context, e core.Effects) {
	next := time.NewTimer(time.Hour)
	defer next.Stop()
	pulse := time.NewTicker(cmp.Or(d.deps.Pulse, time.Hour))
	defer pulse.Stop()
	started, settled := sync.OnceFunc(func() { close(d.started) }), sync.OnceFunc(func() { close(d.settled) })
	for {
		d.carryOut(ctx, e)
		if e.Idle {
			started()
			for _, done := range d.awaiting {
				close(done)
			}
			d.awaiting = nil
		}
		if e.Settled {
			settled()
		}
		if !e.Next.IsZero() {
			next.Reset(time.Until(e.Next))
		}
		due := next.C
		if len(d.pool.Results()) > 0 { // results first: what is due may take long, and be due again at its end
			due = nil
		}
		select {
		case <-ctx.Done():
			return
		case <-d.pool.Results():
			d.core.Results(time.Now(), d.pool.Take())
		case r := <-d.folder.readings:
			d.core.Maintained(time.Now(), r)
		case request := <-d.asked:
			request()
		case reader := <-d.readers:
			d.show(reader)
		case <-d.hooks.ended:
			if d.hooks.left.Load() == 0 {
				d.core.HooksEnded(time.Now())
			}
		case report := <-d.rules.reports:
			d.rules.busy = false
			report()
		case report := <-d.addresses.reports:
			d.addresses.busy = false
			report()
		case <-d.changes:
			d.core.Recheck()
		case <-d.claims:
			d.core.Claimed(time.Now())
		case <-due:
		case <-pulse.C:
			d.alive()
		}
		e = d.core.Step(time.Now())
	}
}

// carryOut begins the slow orders of a step.
func (d *Director) carryOut(ctx context.Context, e core.Effects) {
	if e.SetRules {
		d.setRules(ctx, e.Rules, d.core.Marked)
	}
	if e.Follow && d.changes == nil && d.deps.Announcer != nil {
		d.changes = d.deps.Announcer.Changes(d.life)
	}
	if e.Place {
		d.addresses.start(ctx, func(ctx context.Context) (report func()) {
			all, err := d.place(ctx, e.Wanted)
			return func() { d.core.Placed(time.Now(), all, err) }
		})
	}
}

// alive signals that the director's goroutine does not hang.
func (d *Director) alive() {
	if d.deps.Alive != nil {
		d.deps.Alive()
	}
}
