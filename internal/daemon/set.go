package daemon

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"net/url"
	"os"
	"slices"
	"time"

	"ldirectord/internal/core"
	"ldirectord/internal/instance"
	"ldirectord/internal/lvs"
	"ldirectord/internal/orders"
	"ldirectord/internal/plan"
	"ldirectord/internal/runfile"
	"ldirectord/internal/socket"
	"ldirectord/internal/view"
)

// SetAnswer is the outcome of an order for servers, virtual services or addresses.
type SetAnswer struct {
	Servers []OrderedServer `json:"servers"`
	// virtual services whose scheduler refuses clients of a drained server
	Refusing []string `json:"refusing,omitempty"`
	// the addresses that it can't withdraw, each with the reason
	Left []string `json:"left,omitempty"`
	// the virtual services of the addresses that it withdraws
	Services []lvs.Key `json:"services,omitempty"`
	// the other addresses of these virtual services that stay announced
	Beside []string `json:"beside,omitempty"`
	// why a waiting order could not begin now
	Short []string `json:"short,omitempty"`
	// waiting orders that this one undoes
	Undone []string `json:"undone,omitempty"`
	// orders of another kind in force that this one replaces
	Replaced []string `json:"replaced,omitempty"`
}

// OrderedServer is a server, virtual service or address that an order names. A server includes its place in the table.
type OrderedServer struct {
	lvs.Backend
	Key   lvs.Key        `json:"key"`
	Addr  netip.AddrPort `json:"addr"`
	Guard string         `json:"guard,omitempty"` // for a virtual service: the first directive that guards it
	Waits bool           `json:"waits,omitempty"` // it has no address yet
	Owner string         `json:"owner,omitempty"` // the other daemon that has the virtual service
	Fresh bool           `json:"fresh,omitempty"` // it had no order before, and did not wait to come back
	// checks took it out, and it still fails
	Fallen bool `json:"fallen,omitempty"`
	Weight int  `json:"weight,omitempty"` // in the file
}

// Record saves an order for a daemon that does not answer, or for the next daemon. It has only the configuration to
// judge whether an order leaves too few servers.
func Record(ctx context.Context, i instance.Instance, p *plan.Plan, r orders.Request) (answer SetAnswer,
	err error) {
	lock, err := i.LockFolder(ctx)
	if err != nil {
		return answer, err
	}
	defer lock.Close()
	file := orders.File(i.Files().Drain)
	all, err := file.Current()
	if err != nil {
		return answer, err
	}
	r.By = instance.UserName(os.Geteuid())
	now := core.SnapshotOf(p, time.Now())
	now.Orders = maps.Clone(all)
	meant, err := meantBy(r, now, all, i.Path)
	if err == nil {
		err = carryOut(r, now, all, file, meant)
	}
	if err != nil {
		return answer, err
	}
	return answerTo(r, now, meant), nil
}

// answerTo returns the outcome of a recorded order.
func answerTo(r orders.Request, now *view.Snapshot, meant []lvs.Backend) SetAnswer {
	answer := SetAnswer{Servers: inTable(now, meant)}
	if r.TakesBack() {
		return answer
	}
	for _, at := range now.AllNames(meant) {
		switch o := now.Orders[at]; {
		case o.Waits():
			answer.Undone = append(answer.Undone, fmt.Sprintf("%s: %s", at, o))
		case o.Kind != "" && o.Kind != r.Kind:
			answer.Replaced = append(answer.Replaced, fmt.Sprintf("%s: %s", at, o.Dated()))
		}
	}
	return answer
}

// carryOut changes the orders of these servers, and records all orders. It refuses an order that leaves too few
// servers, and a waiting one for a server that already has an order.
func carryOut(r orders.Request, now *view.Snapshot, all orders.All, file orders.File, meant []lvs.Backend) error {
	var refused error
	named := now.AllNames(meant)
	if r.Waits() {
		refused = alone(named, all)
	} else {
		refused = inBudget(r, shortWithout(meant, now, all, false))
	}
	if refused != nil {
		return refused
	}
	for _, p := range named {
		delete(all, p)
	}
	if r.Waits() {
		r.Since = all.Apart(r.Since)
	}
	weights := map[lvs.Backend]int{}
	for v, s := range now.Each() {
		weights[lvs.At(v.ID, s.Real)] = s.Weight
	}
	for _, p := range meant {
		if !r.TakesBack() {
			all[p] = r.For(weights[p])
		}
	}
	if err := file.Write(all); err != nil {
		return socket.Refused(fmt.Sprintf("nothing is changed: %v", err))
	}
	return nil
}

// set carries out an order in its turn, with the configuration that is in force then. If the order has a WaitBudget,
// set first waits until enough servers would be left. It records the order before the director gets it, and refuses an
// order that can't be recorded.
func (o *standingOrders) set(ctx context.Context, words url.Values) (any, error) {
	r, err := orders.Parse(words)
	if err != nil {
		return nil, socket.Refused(err.Error())
	}
	r.By = instance.UserName(socket.UserOf(ctx))
	if r.Why == orders.ByRoll {
		r.Roll = socket.PidOf(ctx)
	}
	if r.WaitBudget == 0 {
		return o.setNow(ctx, r, nil)
	}
	ctx, cancel := context.WithTimeoutCause(ctx, r.WaitBudget+OrderTimeout, errors.New("the order took too long"))
	defer cancel()
	place := o.line.enter()
	defer o.line.leave(place)
	for end := time.Now().Add(r.WaitBudget); ; {
		answer, err := o.setNow(ctx, r, place)
		if _, waits := errors.AsType[socket.Early](err); !waits {
			return answer, err
		}
		if time.Now().After(end) {
			return nil, socket.Early(fmt.Sprintf("%v, after %v", err, r.WaitBudget))
		}
		if !runfile.Pause(ctx, budgetInterval) {
			return nil, context.Cause(ctx)
		}
	}
}

// setNow carries out an order in its turn. An order with a place in the line is refused while an earlier order waits
// for one of the same virtual services.
func (o *standingOrders) setNow(ctx context.Context, r orders.Request, place *place) (any, error) {
	release, err := o.inTurn(ctx)
	if err != nil {
		return nil, err
	}
	defer release()
	if err := socket.IsAwaited(ctx); err != nil {
		return nil, err
	}
	now, err := o.d.director.Snapshot(ctx)
	if err != nil {
		return nil, err
	}
	now.Orders = o.withWaiting(now.Orders)
	meant, err := o.give(ctx, r, now, place)
	if err != nil {
		return nil, err
	}
	answer := answerTo(r, now, meant)
	if r.Waits() && r.TakesOut() {
		answer.Short = shortWithout(meant, now, now.Orders, true)
	}
	if r.Kind == orders.Withdraw {
		answer.Left = leftAlone(now, meant)
		answer.Services, answer.Beside = carrying(now, meant)
	}
	if r.Kind == orders.Drain {
		answer.Refusing = now.Refusing(meant)
	}
	if r.TakesOut() && !r.Waits() {
		err = o.isOut(ctx, meant)
	}
	return answer, err
}

// give records an order and hands it to the director.
func (o *standingOrders) give(ctx context.Context, r orders.Request, now *view.Snapshot,
	place *place) ([]lvs.Backend, error) {
	all, err := o.recorded()
	if err != nil {
		return nil, socket.Refused(fmt.Sprintf("nothing is changed: %v", err))
	}
	all = all.At(time.Now())
	meant, err := meantBy(r, now, all, o.d.Config.Path)
	if err == nil {
		err = o.line.next(place, meant, now.Standby)
	}
	if err == nil {
		err = carryOut(r, now, all, o.orderFile(), meant)
	}
	if err != nil {
		return nil, err
	}
	ready := orders.All{}
	if r.Kind == orders.Ready {
		for _, at := range meant {
			ready[at] = r.Order
		}
	}
	before := o.waiting()
	err = o.pass(ctx, all, ready)
	o.sayWaiting(ctx, before)
	return meant, runfile.While("the order is recorded; the director is busy", err)
}

// isOut returns an error while one of the servers still gets new connections.
func (o *standingOrders) isOut(ctx context.Context, servers []lvs.Backend) error {
	now, err := o.d.director.Of(ctx, servers)
	if err != nil {
		return fmt.Errorf("the order is recorded: %w", err)
	}
	if p, why, any := now.Undrained(servers); any {
		return socket.Refused(
			fmt.Sprintf(
				"the order is recorded, but %s still gets new connections of %s, and the change "+
					"is tried again: %s", p.Real, p.Virtual, why))
	}
	return nil
}

// leftAlone returns those of the named addresses that another daemon has, or that another program put on a device, each
// with this reason.
func leftAlone(now *view.Snapshot, meant []lvs.Backend) (list []string) {
	for _, one := range now.Announcements {
		switch {
		case !isNamed(one, meant):
		case one.Owner != "":
			list = append(list, fmt.Sprintf("%s belongs to %s", one.Address, one.Owner))
		case one.Foreign != "":
			list = append(list, fmt.Sprintf("%s is on %s, where ldirectord did not put it", one.Address,
				one.Foreign))
		}
	}
	return list
}

// isNamed reports whether an order names an address.
func isNamed(one view.Announcement, meant []lvs.Backend) bool {
	return slices.ContainsFunc(meant, func(at lvs.Backend) bool {
		return at.Virtual == one.Address || at.Virtual == orders.EveryAddress
	})
}

// isWithdrawn reports whether an order withdraws an address: it names the address and does not leave it alone.
func isWithdrawn(one view.Announcement, meant []lvs.Backend) bool {
	return one.Foreign == "" && one.Owner == "" && isNamed(one, meant)
}

// stays reports whether an address that an order does not withdraw stays announced.
func stays(one view.Announcement, meant []lvs.Backend, given orders.All) bool {
	addr, _ := netip.ParseAddr(one.Address)
	isOut := one.State == "withdrawn" || isNamed(one, meant) || given.Withdrawal(addr).Kind != ""
	return one.Foreign != "" || !isOut
}

// carrying returns the virtual services of the addresses that an order withdraws, and their other addresses that stay
// announced.
func carrying(now *view.Snapshot, meant []lvs.Backend) (keys []lvs.Key, beside []string) {
	ids := map[string]bool{}
	for _, one := range now.Announcements {
		for _, id := range one.IDs {
			ids[id] = ids[id] || isWithdrawn(one, meant)
		}
	}
	for i := range now.Virtuals {
		if v := &now.Virtuals[i]; ids[v.ID] {
			keys = append(keys, v.Key)
		}
	}
	for _, one := range now.Announcements {
		isShared := slices.ContainsFunc(one.IDs, func(id string) bool { return ids[id] })
		if isShared && stays(one, meant, now.Orders) {
			beside = append(beside, one.Address)
		}
	}
	return keys, beside
}

// inTable returns what an order names. Each server includes its place in the table, if it has one.
func inTable(now *view.Snapshot, meant []lvs.Backend) (list []OrderedServer) {
	index := map[lvs.Backend]int{}
	for i, at := range meant {
		index[at] = i
		list = append(list, OrderedServer{Backend: at, Fresh: now.Orders[at].Kind == ""})
	}
	for v, s := range now.Each() {
		if i, is := index[lvs.Backend{Virtual: v.ID}]; is {
			list[i].Guard = v.Holder
		}
		at := lvs.At(v.ID, s.Real)
		if i, is := index[at]; is {
			list[i] = OrderedServer{at, v.Key, s.Addr, "", s.Waits, v.Owner,
				list[i].Fresh && s.WaitsFor == "" && (s.Order == nil || s.Order.Kind == ""),
				s.Fallen && s.State == "down", s.Weight}
		}
	}
	return list
}
