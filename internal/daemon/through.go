package daemon

import (
	"context"
	"fmt"
	"os/signal"
	"slices"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"ldirectord/checker"
	"ldirectord/internal/fwmark"
	"ldirectord/internal/instance"
	"ldirectord/internal/plan"
	"ldirectord/internal/printable"
	"ldirectord/internal/viavip"
	"ldirectord/ipvsctl"
)

// rulesTimeout is the time limit for the commands that list the rules with firewall marks.
const rulesTimeout = 5 * time.Second

// startThrough lets checks go through virtual addresses, for which they use private services in the kernel's table. It
// reuses or removes the private services that a killed daemon has left.
func (d *daemon) startThrough(ctx context.Context) {
	if d.Table.Private == nil {
		return
	}
	services := d.Config.Checks.through
	save := func(all []ipvsctl.PrivateService) error {
		return d.lock.Update(func(s *instance.State) { s.Private = all })
	}
	services.Start(viavip.Options{
		Table: d.Table.Private, Former: d.lock.Before.Private, Save: save, Taken: routedMarks,
		Diverts: diverters(),
		Config:  printable.ShellWord(d.Instance.Path),
	})
	services.Set(ctx, d.Loaded.Plan.Ways, d.Loaded.Plan.Keys())
}

// routedMarks returns a function that reports whether a routing rule uses a mark, because packets with such a mark may
// take another route.
func routedMarks(ctx context.Context) func(uint32) bool {
	rules := sync.OnceValue(func() []fwmark.RoutingRule {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), rulesTimeout)
		defer cancel()
		var m fwmark.Machine
		m.ReadRouting(ctx)
		return m.Routing
	})
	return func(mark uint32) bool {
		return slices.ContainsFunc(rules(),
			func(r fwmark.RoutingRule) bool { return r.Uses(mark, r.IPv6) })
	}
}

// diverters returns a function that names a rule that may divert packets with a mark. The function reads the rules
// again if it read them more than a minute ago.
func diverters() func(ctx context.Context, mark uint32, ipv6 bool) (rule string, sure bool) {
	var m fwmark.Machine
	var read time.Time
	return func(ctx context.Context, mark uint32, ipv6 bool) (string, bool) {
		if time.Since(read) > time.Minute {
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), rulesTimeout)
			defer cancel()
			m = fwmark.Inspect(ctx) // the rules found so far
			read = time.Now()
		}
		return m.Diverts(mark, ipv6)
	}
}

// GoThrough runs checks through virtual addresses. It adds private services to the table for them, and removes these at
// the end. A signal ends the context of the checks, and is returned as the error.
func (e *Environment) GoThrough(ctx context.Context, table ipvsctl.Client, p *plan.Plan, ways []checker.Through,
	do func(context.Context)) error {
	if err := table.Connect(ctx); err != nil {
		return fmt.Errorf("opening the table for checks through virtual addresses: %w", err)
	}
	checks, stop := signal.NotifyContext(ctx, unix.SIGINT, unix.SIGTERM, unix.SIGHUP, unix.SIGQUIT)
	defer stop()
	e.through.Start(viavip.Options{
		Table: table, Save: func([]ipvsctl.PrivateService) error { return nil }, Taken: routedMarks,
		Diverts: diverters(), Config: printable.ShellWord(p.Config.Name),
	})
	e.through.Set(checks, ways, p.Keys())
	do(checks)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTimeout)
	defer cancel()
	e.through.Close(ctx)
	return context.Cause(checks)
}
