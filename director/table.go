package director

import (
	"context"
	"errors"
	"time"

	"ldirectord/ipvsctl"
	"ldirectord/judge"
	"ldirectord/lvs"
	"ldirectord/view"
)

// table sends the director's requests to IPVS. The director's goroutine waits for every answer. While the table does
// not answer, it handles results, orders and questions.
type table struct {
	client  ipvsctl.Client
	alive   func() // called after each request
	silence judge.Silence
	told    bool // the missing answer was reported
	asked   view.Operations
}

// errSilent is the error while a table that did not answer gets no requests.
var errSilent = errors.New("the table does not answer")

// silent reports whether the table gets no request now, because it did not answer a moment ago.
func (t *table) silent() bool { return t.silence.Holds(time.Now()) }

// mayAsk reports whether the table may get a request now.
func (t *table) mayAsk(ctx context.Context) bool { return !t.silent() && ctx.Err() == nil }

// limit bounds the wait for one request. Ended takes the request's error, and notes whether the table answers.
func (t *table) limit(ctx context.Context) (limited context.Context, ended func(error)) {
	limited, cancel := context.WithTimeout(ctx, t.silence.Limit())
	return limited, func(err error) {
		cancel()
		switch {
		case ctx.Err() != nil:
		case errors.Is(err, context.DeadlineExceeded):
			t.silence.Unanswered(time.Now())
		default:
			t.silence, t.told = judge.Silence{}, false
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
