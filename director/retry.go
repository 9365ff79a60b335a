package director

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"ldirectord/notify"
)

// firstRetry is the wait after a failed change. It doubles up to the checkinterval, or minLastRetry.
const (
	firstRetry   = 100 * time.Millisecond
	minLastRetry = time.Second
)

// succeeded ends what failed began.
func (w *writer) succeeded(v *virtual) {
	if v.backoff == 0 {
		return
	}
	v.backoff, v.retry, v.refused = 0, time.Time{}, ""
	w.tell.say(v, nil, notify.TableRecovered, "Table changes succeed again: "+v.called(), "")
}

// failed reports that a change did not succeed, once until one does or the configuration is another one, and sets the
// time of the next try. That the table does not answer is reported for one virtual service alone. A change that the end
// of the daemon cut off is no failure.
func (w *writer) failed(ctx context.Context, v *virtual, err error) {
	v.weighed = false
	v.touch()
	if ctx.Err() != nil {
		return
	}
	if !v.settingsRejected {
		v.Lost() // some of the changes may be made: what differs next was not changed by hand
	}
	if v.refused == "" {
		unanswered := errors.Is(err, context.DeadlineExceeded)
		if unanswered && w.told {
			return
		}
		w.told = unanswered
		w.tell.say(v, nil, notify.TableError,
			fmt.Sprintf("Table change failed: %s: %v", v.called(), err), err.Error())
	}
	v.refused = err.Error()
	v.backoff = min(max(v.backoff*2, firstRetry), max(v.cfg.CheckInterval.Duration(), minLastRetry))
	v.retry = time.Now().Add(v.backoff)
}

// never is longer than anything is waited for.
const never time.Duration = math.MaxInt64

// until is how long it is until then; never for the zero time.
func until(then time.Time) time.Duration {
	if then.IsZero() {
		return never
	}
	return time.Until(then)
}

// nextRetry is how long until a virtual service is due by time alone, or a failed change of one of these is tried
// again; never if there is none.
func (w *writer) nextRetry(lists ...[]*virtual) time.Duration {
	wait := never
	for _, v := range w.virtuals {
		wait = min(wait, until(v.again))
	}
	for _, list := range lists {
		for _, v := range list {
			if v.dirty {
				wait = min(wait, max(time.Until(v.retry), time.Until(w.until)))
			}
		}
	}
	return wait
}
