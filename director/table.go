package director

import (
	"cmp"
	"context"
	"errors"
	"time"

	"ldirectord/ipvsctl"
	"ldirectord/lvs"
	"ldirectord/view"
)

// Limits on what the director waits for. Its goroutine waits only for the table.
const (
	tableTimeout = 15 * time.Second // the longest wait for one answer
	// the wait for a table that did not answer last time; doubles up to tableTimeout
	firstTimeout = time.Second
	maxPause     = 5 * time.Second // the pause between two requests to such a table
)

// table sends the director's requests to IPVS. The director's goroutine waits for every answer. After a request without
// an answer it therefore sends none for as long as it just waited: meanwhile it handles results, orders and questions.
// A refusal is an answer.
type table struct {
	client  ipvsctl.Client
	alive   func()        // called after each request
	until   time.Time     // no request before this time
	timeout time.Duration // the time limit of the next request; zero: tableTimeout
	told    bool          // the missing answer was reported
	asked   view.Operations
}

// errSilent is the error while a table that did not answer gets no requests.
var errSilent = errors.New("the table does not answer")

// silent reports whether the table gets no request now, because it did not answer a moment ago.
func (t *table) silent() bool { return !t.until.IsZero() && time.Now().Before(t.until) }

// mayAsk reports whether the table may get a request now.
func (t *table) mayAsk(ctx context.Context) bool { return !t.silent() && ctx.Err() == nil }

// limit bounds the wait for one request. Ended takes the request's error, and notes whether the table answers.
func (t *table) limit(ctx context.Context) (limited context.Context, ended func(error)) {
	timeout := cmp.Or(t.timeout, tableTimeout)
	limited, cancel := context.WithTimeout(ctx, timeout)
	return limited, func(err error) {
		cancel()
		switch {
		case ctx.Err() != nil:
		case errors.Is(err, context.DeadlineExceeded):
			next := firstTimeout
			if t.timeout > 0 {
				next = min(2*timeout, tableTimeout)
			}
			t.until, t.timeout = time.Now().Add(min(timeout, maxPause)), next
		default:
			t.until, t.timeout, t.told = time.Time{}, 0, false
		}
		t.alive()
	}
}

// read reads the whole table.
func (t *table) read(ctx context.Context) (lvs.Table, error) {
	limited, ended := t.limit(ctx)
	have, err := t.client.Read(limited)
	t.asked.Add(view.ReadTable, err)
	ended(err)
	return have, err
}

// counters reads virtual services with the counters of their destinations. Those that could not be read are missing.
func (t *table) counters(ctx context.Context, keys ...lvs.Key) lvs.Table {
	if len(keys) == 0 || t.silent() {
		return nil
	}
	limited, ended := t.limit(ctx)
	found, err := t.client.Services(limited, keys...)
	t.asked.Add(view.ReadTable, err)
	ended(err)
	return found
}
