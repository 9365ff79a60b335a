package director

import (
	"cmp"
	"context"
	"errors"
	"net/netip"
	"time"

	"ldirectord/ipvsctl"
	"ldirectord/lvs"
)

// Limits on what the director waits for. All of them are of the table, which its goroutine waits for.
const (
	tableTimeout = 15 * time.Second // the longest wait for one answer
	firstTimeout = time.Second      // for a table that did not answer the last time; doubles up to tableTimeout
	maxPause     = 5 * time.Second  // between two requests to it
)

// table is the table of IPVS as the director asks it. The goroutine that decides waits for every answer. A table that
// does not answer is therefore left alone for as long as it was just waited for: meanwhile results, orders and
// questions are taken. A refusal is an answer.
type table struct {
	client  ipvsctl.Client
	alive   func()        // called after each request
	until   time.Time     // the table is not asked before
	timeout time.Duration // of the next request; zero for tableTimeout
	told    bool          // that it does not answer was reported
	asked   Operations
}

// errSilent is the reason why a table that does not answer is not asked.
var errSilent = errors.New("the table does not answer")

// silent reports whether the table did not answer a moment ago, and is not to be asked now.
func (t *table) silent() bool { return !t.until.IsZero() && time.Now().Before(t.until) }

// mayAsk reports whether it is to be asked now.
func (t *table) mayAsk(ctx context.Context) bool { return !t.silent() && ctx.Err() == nil }

// limit bounds the wait for one request. Ended takes how the request ended, and notes whether the table answers.
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
func (t *table) read(ctx context.Context) (ipvsctl.Table, error) {
	limited, ended := t.limit(ctx)
	have, err := t.client.Read(limited)
	t.asked.count(readTable, err)
	ended(err)
	return have, err
}

// counters reads what the destinations of a virtual service carry; nothing where the table does not say.
func (t *table) counters(ctx context.Context, key lvs.Key) map[netip.AddrPort]lvs.Counters {
	if t.silent() {
		return nil
	}
	limited, ended := t.limit(ctx)
	found, err := t.client.Services(limited, key)
	t.asked.count(readTable, err)
	ended(err)
	return found[key].Counters
}
