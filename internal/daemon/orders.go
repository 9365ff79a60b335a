package daemon

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"sync/atomic"
	"time"

	"ldirectord/internal/instance"
	"ldirectord/internal/lvs"
	"ldirectord/internal/notify"
	"ldirectord/internal/orders"
	"ldirectord/internal/runfile"
	"ldirectord/internal/view"
)

// Time limits of orders.
const (
	OrderTimeout  = 5 * time.Second // for an order that changes the table at once
	ReloadTimeout = time.Minute     // for a reload: look-ups of names and a slow table take time

	beginTime = pollInterval / 4 // for waiting orders in one turn: other orders wait meanwhile
)

// standingOrders holds the role and the orders for servers, which operators give in addition to the configuration.
// Orders are carried out one after the other. They are saved in files for the next daemon. A command that gets no
// answer records its order there, too.
type standingOrders struct {
	d      *daemon
	turn   chan struct{} // has an element while an order is carried out, see inTurn
	leave  chan Via      // tells the daemon to stop, with the files whose daemons passed that on
	line   line          // orders that wait for their budget
	newest newestRole

	// Only the order that is being carried out uses the fields below, except the atomic ones.
	role    instance.RoleOrder
	outrun  bool        // the role is not in force, because a newer order ended the wait for it
	unsaved bool        // the role is not in its file
	unread  bool        // its file can't be read for a while, which was reported
	unkept  atomic.Bool // a failed save was reported; after a reload it is reported again
	// the waiting orders that could not begin on time, by the time they were given; true: too few servers were left
	late map[time.Time]bool

	known atomic.Pointer[orders.All] // see given; only the order that is being carried out replaces them
}

const roleUnread = "The role can't be read"

// newOrders returns the orders that the previous daemon left. If the role can't be read, the daemon serves.
func newOrders(d *daemon) *standingOrders {
	o := &standingOrders{d: d, turn: make(chan struct{}, 1), leave: make(chan Via),
		late: map[time.Time]bool{}}
	given, err := o.orderFile().Read()
	o.known.Store(&given)
	d.failed(notify.KeepFailed, "Orders for servers can't be read", err)
	o.role, err = o.roleFile().Read()
	d.failed(notify.KeepFailed, roleUnread, err)
	return o
}

// given returns the orders that the director has, and those that still wait. The caller must not change them.
func (o *standingOrders) given() orders.All { return *o.known.Load() }

// follow carries out the orders that commands recorded because they got no answer. It runs until ctx is done.
func (o *standingOrders) follow(ctx context.Context) {
	go followFile(ctx, o.d.lock.Drain, func() bool { return o.inOwnTurn(ctx, o.followGiven) })
	followFile(ctx, o.d.lock.Role, func() bool { return o.inOwnTurn(ctx, o.followRole) })
}

// inOwnTurn carries out an order for which no command waits, and reports whether it succeeded.
func (o *standingOrders) inOwnTurn(ctx context.Context, order func(context.Context) bool) bool {
	release, err := o.inTurn(ctx)
	if err != nil {
		return false
	}
	defer release()
	return order(ctx)
}

// keep saves the role if it is unsaved or its file was lost, and the orders for servers if their file was lost. It
// drops orders that are over, and begins orders whose time has come.
func (o *standingOrders) keep(ctx context.Context) {
	o.inOwnTurn(ctx, func(ctx context.Context) bool {
		if o.unsaved || o.role.Role != instance.NoRole && !runfile.Exists(o.d.lock.Role) {
			_ = o.saveRole(o.role) // an error was reported before
		}
		o.keepGiven(ctx)
		o.beginDue(ctx)
		return true
	})
}

// inTurn waits until no other order is being carried out.
func (o *standingOrders) inTurn(ctx context.Context) (release func(), err error) {
	select {
	case o.turn <- struct{}{}:
		return func() { <-o.turn }, nil
	case <-ctx.Done():
		return nil, fmt.Errorf("the daemon is still carrying out another order: %w", context.Cause(ctx))
	}
}

func (o *standingOrders) orderFile() orders.File { return orders.File(o.d.lock.Drain) }

// recorded returns the orders in the file, including those of commands that got no answer. If the file was lost while
// the daemon runs, or another user has replaced it, recorded returns the orders that the daemon has.
func (o *standingOrders) recorded() (orders.All, error) {
	all, err := o.orderFile().Read()
	if !runfile.Exists(o.d.lock.Drain) || errors.Is(err, runfile.ErrForeign) {
		return o.given(), nil
	}
	return all, err
}

// pass hands orders to the director. If the director does not take them, they are read from the file and carried out
// later.
func (o *standingOrders) pass(ctx context.Context, all, ready orders.All) error {
	err := o.d.director.Order(ctx, all.InForce(), ready)
	if err == nil {
		o.known.Store(&all)
	}
	return err
}

// followGiven carries out recorded orders, and reports whether it succeeded.
func (o *standingOrders) followGiven(ctx context.Context) bool {
	all, err := o.recorded()
	return err == nil && (maps.Equal(all, o.given()) || o.pass(ctx, all, nil) == nil)
}

// keepGiven saves the orders if their file was lost, and drops those that are over. The director ends such orders by
// itself. If a command has just recorded an order, keepGiven does nothing until that order is carried out.
func (o *standingOrders) keepGiven(ctx context.Context) {
	held := o.given().At(time.Now())
	var now *view.Snapshot
	maps.DeleteFunc(held, func(at lvs.Backend, given orders.Order) bool {
		if now == nil && given.Kind == orders.Obey {
			now, _ = o.d.director.Snapshot(ctx)
		}
		return now != nil && now.Over[at] == given
	})
	over := len(held) < len(o.given())
	lost := len(held) > 0 && !runfile.Exists(o.d.lock.Drain)
	if !over && !lost {
		return
	}
	recorded, err := o.recorded()
	if err == nil && maps.Equal(recorded, o.given()) && o.orderFile().Write(held) == nil {
		before := o.waiting()
		o.known.Store(&held)
		o.sayWaiting(ctx, before)
	}
}
