package daemon

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"ldirectord/internal/lvs"
	"ldirectord/internal/notify"
	"ldirectord/internal/orders"
	"ldirectord/internal/view"
)

// sayWaiting reports the waiting orders that are new, undone or over. The director can't do so, because it does not
// know waiting orders.
func (o *standingOrders) sayWaiting(ctx context.Context, before orders.All) {
	book := orders.Book{Held: before}
	begun, undone := book.Given(o.waiting())
	over := orders.All{}
	for at, one := range undone {
		if one.IsOver(time.Now()) {
			over[at] = one
		}
	}
	aside := o.aside(ctx, over)
	tell := func(kind notify.Kind, what string, at lvs.Backend, one orders.Order, after string) {
		status := lvs.StatusRunning
		if aside[at.Virtual] {
			status = lvs.StatusAside
		}
		o.d.journal.Emit(notify.Event{Kind: kind, Status: status, Virtual: at.Virtual, Real: at.Real,
			Text: fmt.Sprintf("%s: %s (%s): %s%s", what, at.Real, at.Virtual, one, after), Reason: one.Why})
	}
	for _, at := range begun.Sorted() {
		tell(notify.Ordered, "Order", at, begun[at], "")
	}
	for _, at := range undone.Sorted() {
		one, why := undone[at], "; it never began"
		if o.late[one.Since] {
			why += ": too few servers were left"
		}
		if _, ended := over[at]; ended {
			tell(notify.OrderEnded, "Order ended", at, one, why)
		} else {
			tell(notify.Ordered, "Order undone", at, one, "")
		}
	}
}

// aside returns the virtual services of these orders that this daemon leaves alone: those of another daemon or, on
// standby, all of them. It waits for a busy director for at most a second.
func (o *standingOrders) aside(ctx context.Context, over orders.All) map[string]bool {
	aside := map[string]bool{}
	if len(over) == 0 {
		return aside
	}
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	now, err := o.d.director.Of(ctx, over.Sorted())
	if err != nil {
		return aside
	}
	for _, v := range now.Virtuals {
		aside[v.ID] = now.Standby || v.Owner != ""
	}
	return aside
}

// beginDue begins the orders whose time has come. The orders of a command begin together, and wait while they would
// leave too few servers. beginDue stops after beginTime, and continues in the next turn.
func (o *standingOrders) beginDue(ctx context.Context) {
	commands := o.dueCommands()
	var now *view.Snapshot
	changed := map[string]bool{} // the virtual services in which orders began since the snapshot
	isChanged := func(at lvs.Backend) bool { return changed[at.Virtual] }
	began := time.Now()
	for _, since := range slices.SortedFunc(maps.Keys(commands), time.Time.Compare) {
		due := commands[since]
		if now == nil || slices.ContainsFunc(due.Sorted(), isChanged) {
			var err error
			if now, err = o.d.director.Snapshot(ctx); err != nil {
				return
			}
			clear(changed)
		}
		if short := shortWithout(due.Out(), now, o.given(), true); len(short) > 0 {
			o.sayLate(since, true, "An order waits for enough servers: "+short[0])
			continue
		}
		if err := o.begin(ctx, due); err != nil {
			o.sayLate(since, false, "An order can't begin: "+err.Error())
			continue
		}
		for at := range due {
			changed[at.Virtual] = true
		}
		if time.Since(began) > beginTime {
			return
		}
	}
}

// dueCommands returns the orders whose time has come, grouped by the time at which their command gave them.
func (o *standingOrders) dueCommands() map[time.Time]orders.All {
	commands := map[time.Time]orders.All{}
	for at, one := range o.given().Due(time.Now()) {
		if commands[one.Since] == nil {
			commands[one.Since] = orders.All{}
		}
		commands[one.Since][at] = one
	}
	return commands
}

// sayLate reports the reason why the orders of a command don't begin on time. It reports that only once for a command.
func (o *standingOrders) sayLate(since time.Time, isShort bool, why string) {
	if _, isTold := o.late[since]; !isTold {
		o.d.say(notify.OrderWaits, "%s", why)
	}
	o.late[since] = isShort
}

// begin puts waiting orders in force, unless they can't be recorded. If the director does not take them, they are read
// from the file and carried out later. If a command has just recorded an order, begin does nothing until that order is
// carried out.
func (o *standingOrders) begin(ctx context.Context, due orders.All) error {
	recorded, err := o.recorded()
	if err != nil || !maps.Equal(recorded, o.given()) {
		return err
	}
	all, since := maps.Clone(recorded), time.Now().UTC().Truncate(time.Second)
	for at, one := range due {
		one.Since = since
		all[at] = one
	}
	err = o.orderFile().Write(all)
	if err == nil {
		_ = o.pass(ctx, all, nil)
	}
	return err
}

// waiting returns the orders that wait.
func (o *standingOrders) waiting() orders.All { return o.given().Waiting() }

// withWaiting returns the orders in force together with those that wait.
func (o *standingOrders) withWaiting(inForce orders.All) orders.All {
	all := orders.All{}
	maps.Copy(all, inForce)
	maps.Copy(all, o.waiting())
	return all
}
