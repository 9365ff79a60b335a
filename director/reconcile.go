package director

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"ldirectord/lvs"
	"ldirectord/notify"
)

// sync decides every virtual service that is due and updates the table. It starts from the last write, so that one
// change is one request. It reads the table only if the last write is unknown, or if a change shows that the table
// differs. Then it removes virtual services that are no longer configured. Have, if not nil, is the table as just read.
func (w *writer) sync(ctx context.Context, have lvs.Table) {
	var changes []*change
	var unknown []*virtual
	now := time.Now()
	taken := w.agenda.take()
	for _, v := range taken {
		if v.Gathers() {
			v.Away = v.addresses.areElsewhere()
			if v.HasGathered() {
				v.touch()
			}
		}
		v.weighed = v.weighed && !v.dirty
		steps := v.moves && until(v.again) < time.Second // which decides, too
		if !v.dirty && (steps || !v.Obeys) {
			continue
		}
		v.dirty = v.dirty && v.IsOurs() // the daemon that takes it over writes it
		if v.moves && v.Known && v.dirty && !v.retry.Waits(false, now) && w.mayAsk(ctx) {
			v.wakeAt(time.Time{})
			unknown = append(unknown, v) // a weight that moves may not undo a change by hand
			continue
		}
		decision := w.decide(ctx, v)
		switch {
		case !v.dirty || v.retry.Waits(v.retry.SettingsOnly && v.hasTurned(), now) || !w.mayAsk(ctx):
		case v.Known:
			changes = append(changes, w.newChange(v, v.last(), decision))
		default:
			unknown = append(unknown, v)
		}
	}
	w.agenda.giveBack(taken)
	w.follow(ctx, changes, unknown, have)
	w.remover.purge(ctx)
}

// hasTurned reports whether a server changed its state since the last write.
func (v *virtual) hasTurned() bool {
	return slices.ContainsFunc(v.servers, func(s *server) bool { return s.Turned })
}

// succeeded ends a failure that failed has reported.
func (w *writer) succeeded(v *virtual) {
	if v.retry.Succeeded() {
		w.tell.say(v, nil, notify.TableRecovered, "Table changes succeed again: "+v.called(), "")
	}
}

// failed reports that a change failed and sets the time of the next try. It reports once until a change succeeds or the
// configuration changes. If the table does not answer, only one virtual service is reported. A change that the end of
// the daemon interrupts is not a failure.
func (w *writer) failed(ctx context.Context, v *virtual, err error) {
	v.weighed = false
	v.touch()
	if ctx.Err() != nil {
		return
	}
	if !v.retry.SettingsOnly {
		v.Lost() // some of the changes may have been made: the next difference is not an external change
	}
	if v.retry.Refusal == "" {
		unanswered := errors.Is(err, context.DeadlineExceeded)
		if unanswered && w.told {
			return
		}
		w.told = unanswered
		w.tell.say(v, nil, notify.TableError,
			fmt.Sprintf("Table change failed: %s: %v", v.called(), err), err.Error())
	}
	v.retry.Failed(err.Error(), v.Config.CheckInterval.Duration(), time.Now())
}

// never is longer than any wait.
const never time.Duration = math.MaxInt64

// until is the time left until then; never for the zero time.
func until(then time.Time) time.Duration {
	if then.IsZero() {
		return never
	}
	return time.Until(then)
}

// nextRetry is the time until a virtual service is due by time alone, or until the next retry of a failed change; never
// if there is neither.
func (w *writer) nextRetry(lists ...[]*virtual) time.Duration {
	wait := w.agenda.wait()
	for _, list := range lists {
		for _, v := range list {
			if v.dirty {
				wait = min(wait, max(time.Until(v.retry.Until()), time.Until(w.silence.Until())))
			}
		}
	}
	return wait
}
