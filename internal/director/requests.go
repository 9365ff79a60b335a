package director

import (
	"context"
	"errors"
	"fmt"
	"time"

	"ldirectord/internal/core"
	"ldirectord/internal/lvs"
	"ldirectord/internal/orders"
	"ldirectord/internal/plan"
	"ldirectord/internal/view"
)

// Reload puts a plan in force. If refines is true, the plan differs from the current one only in the servers of lists
// and the addresses of names, see core.Core.Replace. Reload returns when the changes to the table and to the mark rules
// have been tried, or when ctx is done.
func (d *Director) Reload(ctx context.Context, p *plan.Plan, refines bool) error {
	f, ready := d.openFolder(ctx, p), core.Ready(p)
	err := d.asked.submit(ctx, func(done chan<- struct{}) {
		d.folder.end()
		d.folder = f
		d.core.Replace(time.Now(), ready, f.first, refines)
		d.awaiting = append(d.awaiting, done)
	})
	if errors.Is(err, errNotTaken) {
		f.end()
	}
	return err
}

// SetStandby puts the director on standby, or makes it serve, see core.Core.SetStandby. It returns when the table and
// the mark rules have been changed accordingly, or when ctx is done.
func (d *Director) SetStandby(ctx context.Context, standby bool) error {
	return d.asked.submit(ctx, func(done chan<- struct{}) {
		d.core.SetStandby(time.Now(), standby)
		d.awaiting = append(d.awaiting, done)
	})
}

// Order puts these orders in force. The servers in ready come back without further delay, even if they have no order.
// Order returns when the change has been sent to the table, even if the table refused it, or when ctx is done.
func (d *Director) Order(ctx context.Context, all, ready orders.All) error {
	return d.asked.do(ctx, func() { d.core.Order(time.Now(), all, ready) })
}

// Looked passes on the conditions found by a look at this machine, see core.Core.Looked. It waits until the director is
// free, or ctx is done.
func (d *Director) Looked(ctx context.Context, found []view.Condition) error {
	return d.asked.do(ctx, func() { d.core.Looked(time.Now(), found) })
}

// Answers returns nil once the director is free, or an error when ctx is done.
func (d *Director) Answers(ctx context.Context) error {
	_, err := answer(ctx, d.asked, func() (any, error) { return nil, nil })
	return err
}

// Snapshot returns what the director knows now. It waits until the director is free, which may take as long as one
// step's requests to the table, but no longer than ctx allows. Readers who wait at the same time get copies of one
// snapshot.
func (d *Director) Snapshot(ctx context.Context) (*view.Snapshot, error) {
	one, err := answer(ctx, d.readers, func() (sight, error) { return d.sight, nil })
	if one.isShared {
		return one.now.Clone(), nil
	}
	return one.now, err
}

// Of returns a Snapshot with only the virtual services of these servers. It waits in the same way as Snapshot.
func (d *Director) Of(ctx context.Context, servers []lvs.Backend) (*view.Snapshot, error) {
	return answer(ctx, d.asked, func() (*view.Snapshot, error) { return d.core.Of(time.Now(), servers), nil })
}

// Lacking returns both numbers of core.Core.Lacking, and 1 if the director is on standby, else 0. It waits in the same
// way as Snapshot.
func (d *Director) Lacking(ctx context.Context) ([]int, error) {
	return answer(ctx, d.asked, func() ([]int, error) {
		lacking, all := d.core.Lacking()
		standby := 0
		if d.core.OnStandby() {
			standby = 1
		}
		return []int{lacking, all, standby}, nil
	})
}

// Why returns a Snapshot of only the servers that an operator names, see core.Core.Why. It waits in the same way as
// Snapshot.
func (d *Director) Why(ctx context.Context, virtual, real string) (*view.Snapshot, error) {
	return answer(ctx, d.asked, func() (*view.Snapshot, error) {
		found, err := d.core.Why(time.Now(), virtual, real)
		found.Overdue = d.pool.Overdue()
		return found, err
	})
}

// sight is a snapshot on its way to its readers.
type sight struct {
	now      *view.Snapshot
	isShared bool
}

// show takes a snapshot for a reader and for all others who wait when it is complete. The snapshot is not too old for
// the last of them, because nothing changes while the director's goroutine takes it.
func (d *Director) show(reader func()) {
	now, readers := d.core.Snapshot(time.Now()), []func(){reader}
	now.Overdue = d.pool.Overdue()
	for waits := true; waits; {
		select {
		case another := <-d.readers:
			readers = append(readers, another)
		default:
			waits = false
		}
	}
	d.sight = sight{now, len(readers) > 1}
	for _, reader := range readers {
		reader()
	}
	d.sight = sight{}
}

// errNotTaken is the error for a request that never reached the director.
var errNotTaken = errors.New("the director did not take the order")

// requests passes requests to the goroutine of Run, which carries them out.
type requests chan func()

// submit hands a request to the director's goroutine and waits until that goroutine closes done, or until ctx is done.
func (r requests) submit(ctx context.Context, request func(done chan<- struct{})) error {
	done := make(chan struct{})
	select {
	case r <- func() { request(done) }:
	case <-ctx.Done():
		return fmt.Errorf("%w: %w", errNotTaken, ctx.Err())
	}
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// do has the director's goroutine carry out a request, and waits for the end of the request, or until ctx is done.
func (r requests) do(ctx context.Context, request func()) error {
	return r.submit(ctx, func(done chan<- struct{}) {
		request()
		close(done)
	})
}

// answer passes a question to the director's goroutine and waits for its answer, or until ctx is done.
func answer[A any](ctx context.Context, from requests, question func() (A, error)) (none A, err error) {
	var found A // not used if ctx is done: the director may still write it then
	var refused error
	if from.do(ctx, func() { found, refused = question() }) != nil {
		return none, fmt.Errorf("the director is busy: %w", ctx.Err())
	}
	return found, refused
}
