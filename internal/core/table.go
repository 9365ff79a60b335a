package core

import (
	"errors"
	"time"

	"ldirectord/internal/judge"
	"ldirectord/internal/lvs"
	"ldirectord/internal/view"
)

// Table sends the requests of a core to IPVS. The core waits for each answer. If a request is not answered within its
// time limit, it may or may not be carried out.
type Table interface {
	// Do makes the changes in the given order.
	Do(limit time.Duration, ops ...lvs.Op) []judge.Outcome
	Read(limit time.Duration) (lvs.Table, judge.Outcome)
	// Services reads virtual services with the counters of their destinations. It leaves out those that it could
	// not read.
	Services(limit time.Duration, keys ...lvs.Key) (lvs.Table, judge.Outcome)
	// Timeouts sets the timeouts of idle connections, except those that are 0 in want. It returns the former ones.
	Timeouts(limit time.Duration, want lvs.Timeouts) (was lvs.Timeouts, o judge.Outcome)
	// Now is the time at which the last request ended.
	Now() time.Time
}

// table sends requests to IPVS. While IPVS does not answer, check results, orders and queries are still handled.
type table struct {
	Table
	silence  judge.Silence
	ends     bool // a request was interrupted: the daemon ends
	reported bool // the missing answer was reported
	asked    view.Operations
}

// use switches to another connection to the same table, which may be used at once.
func (t *table) use(now Table) { t.Table, t.ends, t.silence = now, false, judge.Silence{} }

// errSilent is the error for changes that are not sent because the table has not answered.
var errSilent = errors.New("the table does not answer")

// silent reports whether the table gets no requests now because it did not answer a moment ago.
func (w *writer) silent() bool { return w.silence.Holds(w.tell.now()) }

// mayAsk reports whether a request may be sent to the table now.
func (w *writer) mayAsk() bool { return !w.silent() && !w.ends }

// ended notes the outcomes of requests, and the time at which the last one ended.
func (w *writer) ended(all ...judge.Outcome) {
	w.tell.tick(w.Now())
	silence := judge.Silence{}
	for _, o := range all {
		switch {
		case o.Answer == judge.Interrupted:
			w.ends = true
			return
		case o.Answer == judge.Unanswered && silence == judge.Silence{}:
			silence = w.silence
			silence.Unanswered(w.tell.now())
		}
	}
	w.silence, w.reported = silence, w.reported && silence != judge.Silence{}
}

// read reads the whole table.
func (w *writer) read() (lvs.Table, judge.Outcome) {
	have, o := w.Read(w.silence.Limit())
	w.asked.Add(view.ReadTable, o.Err)
	w.ended(o)
	return have, o
}

// counters reads virtual services with the counters of their destinations. It leaves out those that it could not read.
func (w *writer) counters(keys ...lvs.Key) lvs.Table {
	if len(keys) == 0 || w.silent() {
		return nil
	}
	found, o := w.Services(w.silence.Limit(), keys...)
	w.asked.Add(view.ReadTable, o.Err)
	w.ended(o)
	return found
}

// do sends changes to the table.
func (w *writer) do(ops ...lvs.Op) []judge.Outcome {
	outcomes := w.Do(w.silence.Limit(), ops...)
	for i, op := range ops {
		w.asked.Add(int(op.Kind), outcomes[i].Err)
	}
	w.ended(outcomes...)
	return outcomes
}
