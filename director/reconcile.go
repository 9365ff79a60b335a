package director

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"ldirectord/ipvsctl"
	"ldirectord/notify"
)

// firstRetry is the wait after a failed change. It doubles up to the checkinterval.
const firstRetry = 100 * time.Millisecond

// sync makes the table follow every virtual service that changed. It starts from what was written last, so that one
// change is one request. It reads the table only where that is not known, and where a change shows that it is wrong.
// Have, if not nil, is the table as it was just read.
func (d *Director) sync(ctx context.Context, have ipvsctl.Table) {
	now := time.Now()
	for _, v := range d.served() {
		if !v.dirty || v.retry.After(now) && !v.hasPendingTransition() || d.table.silent() || ctx.Err() != nil {
			continue
		}
		if v.written != nil {
			err := d.apply(ctx, v, *v.written, true)
			if !ipvsctl.IsMissing(err) {
				d.conclude(ctx, v, err)
				continue
			}
			have = nil
		}
		if have == nil {
			var err error
			if have, err = d.table.read(ctx); err != nil {
				d.failed(ctx, v, err)
				continue
			}
		}
		service, there := have[v.key]
		d.reconcile(ctx, v, service, there)
	}
	d.purge(ctx)
}

// reconcile makes one virtual service as it should be, from what was read of it.
func (d *Director) reconcile(ctx context.Context, v *virtual, have ipvsctl.Service, there bool) {
	v.noteFound(have.Dests)
	d.notice(v, have, there)
	d.conclude(ctx, v, d.apply(ctx, v, have, there))
}

// apply makes the changes that lead from what the table has of a virtual service to what it should have. When the
// table refuses only the settings, the old ones stay, and servers follow their checks all the same.
func (d *Director) apply(ctx context.Context, v *virtual, have ipvsctl.Service, there bool) (refused error) {
	d.release(v, have.Dests)
	want := ipvsctl.Service{Key: v.key, Settings: v.settings, Dests: v.desired(have.Dests)}
	was := ipvsctl.Table{}
	if there {
		was[v.key] = have
	}
	v.settingsRejected = false
	for _, op := range ipvsctl.Diff(was, ipvsctl.Table{v.key: want}) {
		err := d.table.do(ctx, op)
		switch {
		case err == nil:
			v.record(op)
			d.emitOp(v, op)
		case op.Kind == ipvsctl.EditService && !errors.Is(err, context.DeadlineExceeded) && !ipvsctl.IsMissing(err):
			refused, v.settingsRejected, want.Settings = err, true, have.Settings
		default:
			return err
		}
	}
	d.markWritten(v, want)
	return refused
}

// record notes one change that was made, so that a later reading does not take it for somebody else's.
func (v *virtual) record(op ipvsctl.Op) {
	if v.written == nil {
		return
	}
	switch op.Kind {
	case ipvsctl.AddDest, ipvsctl.EditDest:
		v.written.Dests[op.Dest.Addr] = op.Dest
	case ipvsctl.DelDest:
		delete(v.written.Dests, op.Dest.Addr)
	case ipvsctl.EditService:
		v.written.Settings = op.Settings
	}
}

// markWritten notes what the table now has of a virtual service, and runs the hooks that follow from it.
func (d *Director) markWritten(v *virtual, written ipvsctl.Service) {
	v.written = &written
	for _, s := range v.servers {
		s.transitioned = false
	}
	if wanted, known := v.fallbackWantedNow(); known {
		v.fallbackWanted = wanted
	}
	v.fallbackIn = v.fallback != nil && !v.servedBy(v.fallback.Addr) && written.Dests[v.fallback.Addr].Weight > 0
	d.runHook(v)
	d.runOnChange(v)
}

// hasPendingTransition reports whether a server changed its state while only the settings wait for another try.
func (v *virtual) hasPendingTransition() bool {
	return v.settingsRejected && slices.ContainsFunc(v.servers, func(s *server) bool { return s.transitioned })
}

// conclude notes how changes of a virtual service ended.
func (d *Director) conclude(ctx context.Context, v *virtual, err error) {
	if err != nil {
		d.failed(ctx, v, err)
		return
	}
	v.dirty = false
	d.succeeded(v)
}

// succeeded ends what failed began.
func (d *Director) succeeded(v *virtual) {
	if v.backoff == 0 {
		return
	}
	v.backoff, v.retry, v.refused = 0, time.Time{}, ""
	d.emit(notify.Event{Kind: notify.TableRecovered, Virtual: v.cfg.ID,
		Text: fmt.Sprintf("Table changes succeed again: %s", v.name)})
}

// failed reports that a change did not succeed, once until one does or the configuration is another one, and sets the
// time of the next try. A change that the end of the daemon cut off is no failure.
func (d *Director) failed(ctx context.Context, v *virtual, err error) {
	v.dirty = true
	if ctx.Err() != nil {
		return
	}
	if !v.settingsRejected {
		v.written = nil // some of the changes may be made: what differs next is not somebody else's doing
	}
	told := v.refused != ""
	v.refused = err.Error()
	if !told {
		d.emit(notify.Event{Kind: notify.TableError, Virtual: v.cfg.ID, Reason: err.Error(),
			Text: fmt.Sprintf("Table change failed: %s: %v", v.name, err)})
	}
	v.backoff = min(max(v.backoff*2, firstRetry), v.cfg.CheckInterval.Duration())
	v.retry = time.Now().Add(v.backoff)
}

// nextRetry is how long until a failed change is tried again.
func (d *Director) nextRetry() (wait time.Duration, any bool) {
	purges := d.purges
	if d.marker.changing() {
		purges = nil
	}
	for _, v := range slices.Concat(d.served(), purges) {
		if !v.dirty {
			continue
		}
		if w := max(time.Until(v.retry), time.Until(d.table.until), 0); !any || w < wait {
			wait, any = w, true
		}
	}
	return wait, any
}
