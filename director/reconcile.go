package director

import (
	"context"
	"time"

	"ldirectord/ipvsctl"
)

// sync makes the table follow every virtual service that changed. It starts from what was written last, so that one
// change is one request. It reads the table only where that is not known, and where a change shows that it is wrong.
// Have, if not nil, is the table as it was just read.
func (d *Director) sync(ctx context.Context, have ipvsctl.Table) {
	var changes []*change
	var unknown []*virtual
	now := time.Now()
	for _, v := range d.virtuals {
		if v.Gathers() {
			v.Away = v.isElsewhere()
			if v.HasGathered() {
				v.touch()
			}
		}
		v.weighed = v.weighed && !v.dirty
		if !v.dirty && !v.Obeys && !v.untold(now) {
			continue
		}
		v.dirty = v.dirty && v.isOurs() // who gets it makes it so
		decision := d.decide(ctx, v)
		switch {
		case !v.dirty || v.retry.After(now) && !v.hasPendingTransition() || !d.writer.mayAsk(ctx):
		case v.Known:
			changes = append(changes, d.writer.newChange(v, v.last().Service(v.key), decision))
		default:
			unknown = append(unknown, v)
		}
	}
	d.writer.follow(ctx, changes, unknown, have)
	d.purge(ctx)
}
