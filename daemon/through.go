package daemon

import (
	"context"
	"slices"
	"time"

	"ldirectord/fwmark"
	"ldirectord/instance"
	"ldirectord/through"
)

// rulesTimeout is for the programs that show who uses firewall marks.
const rulesTimeout = 5 * time.Second

// startThrough lets checks go through virtual addresses, by private services of the kernel's table. Those of a daemon that
// was killed are used again, or go.
func (d *daemon) startThrough(ctx context.Context) {
	if d.Instance.Table != instance.Kernel {
		return
	}
	services := d.Config.Checks.through
	services.Start(through.Options{Table: &d.private, Former: d.lock.Private, Save: d.lock.SetPrivate, Taken: routedMarks})
	services.Want(ctx, d.Loaded.through, d.Loaded.Plan.Keys())
	services.Keep(ctx, d.Loaded.through)
}

// endThrough removes the private services, whatever becomes of the table.
func (d *daemon) endThrough() {
	ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
	defer cancel()
	d.Config.Checks.through.Close(ctx)
	d.private.Close()
}

// routedMarks tells which marks a rule of ip rule looks at: packets with them may go another way.
func routedMarks(ctx context.Context) func(uint32) bool {
	ctx, cancel := context.WithTimeout(ctx, rulesTimeout)
	defer cancel()
	rules := fwmark.Routing(ctx)
	return func(mark uint32) bool {
		return slices.ContainsFunc(rules, func(r fwmark.RoutingRule) bool { return r.Uses(mark, false) || r.Uses(mark, true) })
	}
}
