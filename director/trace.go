package director

import (
	"context"
	"fmt"
	"slices"
	"time"

	"ldirectord/checker"
	"ldirectord/checker/transcript"
)

// maxTraces is how many there are at once.
const maxTraces = 4

// endTraceTimeout is how long the end of a trace waits for the director.
const endTraceTimeout = 5 * time.Second

// Trace hands on what is said in the checks of one real server. Its functions are called from any goroutine, and must
// not block.
type Trace struct {
	Virtual, Real string // an operator's words, as for Snapshot.Backends; then the names of the configuration
	Take          func(check string, t *transcript.Tape)
	// called once when the configuration has no check of this server (any more): the trace has ended
	End func()
}

// tracer has the traces.
type tracer struct {
	pool *checker.Pool
	list []*Trace
}

// Trace begins a trace. The checks are those of the schedule. It continues over reloads.
func (d *Director) Trace(ctx context.Context, t *Trace) error {
	var refused error
	err := d.submit(ctx, func(_ context.Context, done chan<- struct{}) {
		if refused = d.tracer.add(t, d.snapshot(), d.virtuals); refused == nil {
			d.tracer.listen(d.virtuals, d.checks)
		}
		close(done)
	})
	if err != nil {
		return fmt.Errorf("the director waits for the table: %w", err)
	}
	return refused
}

// EndTrace ends a trace, if it has not ended.
func (d *Director) EndTrace(t *Trace) {
	ctx, cancel := context.WithTimeout(d.life, endTraceTimeout)
	defer cancel()
	_ = d.submit(ctx, func(_ context.Context, done chan<- struct{}) { // one that does not take it has ended
		d.tracer.list = slices.DeleteFunc(d.tracer.list, func(other *Trace) bool { return other == t })
		d.tracer.listen(d.virtuals, d.checks)
		close(done)
	})
}

// add finds the server of a trace, and says why there can't be one.
func (a *tracer) add(t *Trace, now *Snapshot, virtuals []*virtual) error {
	if err := now.Called(&t.Virtual); err != nil {
		return err
	}
	found, asked := checksOf(virtuals, t.Virtual, t.Real), t.Real
	if t.Virtual != "" {
		asked += " of " + t.Virtual
	}
	if len(found) == 0 {
		return fmt.Errorf("there is no server %s", asked)
	}
	first := found[0]
	if slices.ContainsFunc(found,
		func(c Check) bool { return c.Virtual != first.Virtual || c.Real != first.Real }) {
		return fmt.Errorf("%s is more than one server: name one as status -v does", asked)
	}
	if len(a.list) == maxTraces {
		return fmt.Errorf("%d traces are read already", maxTraces)
	}
	t.Virtual, t.Real = first.Virtual, first.Real
	a.list = append(a.list, t)
	return nil
}

// listen lets the pool take down what is said in the checks that are traced. A trace ends when none is made.
func (a *tracer) listen(virtuals []*virtual, checks map[*checker.Task]*check) {
	listeners := map[*checker.Task][]func(*transcript.Tape){}
	a.list = slices.DeleteFunc(a.list, func(t *Trace) bool {
		made := false
		for _, c := range checksOf(virtuals, t.Virtual, t.Real) {
			if checks[c.Task] != nil {
				made = true
				listeners[c.Task] = append(listeners[c.Task],
					func(tape *transcript.Tape) { t.Take(c.Name, tape) })
			}
		}
		if !made {
			t.End()
		}
		return !made
	})
	a.pool.Listen(listeners)
}
