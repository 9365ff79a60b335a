package director

import (
	"context"
	"slices"
	"time"

	"ldirectord/ipvsctl"
)

// sync decides every virtual service that is due and updates the table. It starts from the last write, so that one
// change is one request. It reads the table only if the last write is unknown, or if a change shows that the table
// differs. Then it removes virtual services that are no longer configured. Have, if not nil, is the table as just read.
func (w *writer) sync(ctx context.Context, have ipvsctl.Table) {
	var changes []*change
	var unknown []*virtual
	now := time.Now()
	for _, v := range w.virtuals {
		if v.Gathers() {
			v.Away = v.addresses.areElsewhere()
			if v.HasGathered() {
				v.touch()
			}
		}
		if until(v.again) <= 0 {
			v.touch()
		}
		v.weighed = v.weighed && !v.dirty
		if !v.dirty && !v.Obeys && !v.untold(now) {
			continue
		}
		v.dirty = v.dirty && v.isOurs() // the daemon that takes it over writes it
		decision := w.decide(ctx, v)
		switch {
		case !v.dirty || v.retry.After(now) && !hasPendingTransition(v) || !w.mayAsk(ctx):
		case v.Known:
			changes = append(changes, w.newChange(v, v.last(), decision))
		default:
			unknown = append(unknown, v)
		}
	}
	w.follow(ctx, changes, unknown, have)
	w.remover.purge(ctx)
}

// hasPendingTransition reports whether a server changed its state while only the settings wait for a retry.
func hasPendingTransition(v *virtual) bool {
	return v.settingsRejected && slices.ContainsFunc(v.servers, func(s *server) bool { return s.Turned })
}
