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
	"strings"
	"time"

	"ldirectord/internal/core"
	"ldirectord/internal/instance"
	"ldirectord/internal/lvs"
	"ldirectord/internal/notify"
	"ldirectord/internal/orders"
	"ldirectord/internal/plan"
	"ldirectord/internal/runfile"
	"ldirectord/internal/socket"
	"ldirectord/internal/view"
)

// SetAnswer is the outcome of an order.
type SetAnswer struct {
	Servers []OrderedServer `json:"servers"`
	// virtual services whose scheduler refuses clients of a drained server
	Refusing []string `json:"refusing,omitempty"`
	// of an order that waits: why it would wait longer if its time had come
	Short []string `json:"short,omitempty"`
	// orders that waited, and are undone by this one
	Undone []string `json:"undone,omitempty"`
}

// OrderedServer is a server of an order, with its place in the table.
type OrderedServer struct {
	lvs.Backend
	Key   lvs.Key        `json:"key"`
	Addr  netip.AddrPort `json:"addr"`
	Guard string         `json:"guard,omitempty"` // of a virtual service: the first directive that guards it
	Waits bool           `json:"waits,omitempty"` // it has no address yet
	Owner string         `json:"owner,omitempty"` // the other daemon that has the virtual service
	Fresh bool           `json:"fresh,omitempty"` // it had no order before, and did not wait to come back
}

// Record saves an order for a daemon that does not answer, or for the next daemon. Only the configuration decides which
// server is the last one.
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

// answerTo is the outcome of an order that is recorded.
func answerTo(r orders.Request, now *view.Snapshot, meant []lvs.Backend) SetAnswer {
	answer := SetAnswer{Servers: inTable(now, meant)}
	for _, at := range meant {
		if o := now.Orders[at]; o.Waits() && !r.TakesBack() {
			answer.Undone = append(answer.Undone, fmt.Sprintf("%s: %s", at, o))
		}
	}
	return answer
}

// carryOut changes the orders of the servers that are meant, and records all. It refuses an order that leaves too few
// servers.
func carryOut(r orders.Request, now *view.Snapshot, all orders.All, file orders.File, meant []lvs.Backend) error {
	var refused error
	if r.Waits() {
		refused = alone(meant, all)
	} else {
		refused = inBudget(r, now.Short(meant, all.InForce()))
	}
	if refused != nil {
		return refused
	}
	for _, p := range append(now.Aliases(meant), meant...) {
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

// alone refuses an order that waits for servers that have another one, which it would end.
func alone(meant []lvs.Backend, all orders.All) error {
	for _, p := range meant {
		if o, has := all[p]; has {
			return socket.Refused(fmt.Sprintf("%s has an order, %s; --from is for servers without one", p,
				o))
		}
	}
	return nil
}

const howCalled = "a virtual service is named by ADDRESS:PORT as in status, by its mark, or by its servicename"

// meantBy returns the servers or virtual services that an order names. An order for a server that left the file can be
// undone.
func meantBy(r orders.Request, now *view.Snapshot, all orders.All, path string) ([]lvs.Backend, error) {
	virtual := &r.Virtual
	if r.Virtual == "" && len(now.Backends("", r.Real)) == 0 { // only this word, as for obey
		virtual = &r.Real
	}
	if err := now.Called(virtual); err != nil {
		return nil, socket.Refused(err.Error())
	}
	found, why := now.Backends(r.Virtual, r.Real), fmt.Sprintf("%s has no real server %s", path, r.Real)
	switch isVirtual := func(v view.Virtual) bool { return r.Real == v.ID || r.Real == v.Name }; {
	case r.Kind == orders.Withdraw, r.Kind == orders.Announce:
		found, why = announced(r, now, all, path)
	case r.Kind == orders.Obey || r.Kind == orders.Ready && r.Real == "":
		found, why = guarded(r, now)
	case slices.ContainsFunc(now.Virtuals, isVirtual) && r.Kind == orders.Ready:
		why = r.Real + " has no order"
	case r.Virtual != "":
		why = fmt.Sprintf("%s has no virtual service %s with a real server %s; %s", path, r.Virtual, r.Real,
			howCalled)
	}
	known := append(now.Aliases(found), found...)
	for _, p := range all.Sorted() {
		if r.Kind == orders.Ready && p.IsMeant(r.Virtual, r.Real) && !slices.Contains(known, p) {
			found = append(found, p)
		}
	}
	if len(found) == 0 {
		return nil, socket.Refused(why)
	}
	return found, nil
}

// guarded returns the virtual services that an order for obey names, or why there are none.
func guarded(r orders.Request, now *view.Snapshot) (found []lvs.Backend, why string) {
	name := strings.TrimSpace(r.Virtual + " " + r.Real)
	why = fmt.Sprintf("there is no virtual service %s; %s", name, howCalled)
	for i := range now.Virtuals {
		switch v := &now.Virtuals[i]; {
		case name != v.ID && name != v.Name:
		case v.Holder == "" && r.Kind == orders.Obey:
			why = v.ID + " has no keepserving, checkvip, paceout or pace: " +
				"its checks can already remove every server"
		case r.Kind == orders.Obey && v.Recovered:
			why = "every server of " + v.ID + " is up: the order would end at once"
		default:
			found = append(found, lvs.Backend{Virtual: v.ID})
		}
	}
	return found, why
}

// announced returns the addresses that an order for withdraw names.
func announced(r orders.Request, now *view.Snapshot, all orders.All, path string) (found []lvs.Backend,
	why string) {
	if address, err := lvs.ParseAddr(r.Virtual); err == nil {
		r.Virtual = address.String()
	}
	back, every := r.Kind == orders.Announce, lvs.Backend{Virtual: orders.EveryAddress}
	isMeant := func(address string) bool { return address == r.Virtual || r.Virtual == every.Virtual }
	if _, withdrawn := all[every]; back && withdrawn && r.Virtual != every.Virtual {
		return nil, "every address is withdrawn by order; announce without an address ends that order"
	}
	for at, o := range all {
		if back && o.Kind == orders.Withdraw && isMeant(at.Virtual) {
			found = append(found, at)
		}
	}
	if len(found) == 0 && slices.ContainsFunc(now.Announcements,
		func(one view.Announcement) bool { return isMeant(one.Address) }) {
		found = append(found, lvs.Backend{Virtual: r.Virtual})
	}
	return found, strings.TrimSuffix(fmt.Sprintf("%s announces no address %s", path, r.Virtual), " "+every.Virtual)
}

// set carries out an order in its turn, with the configuration of that moment, and waits for its budget if asked to. It
// records the order first: an order that can't be recorded is refused.
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
		if _, waits := errors.AsType[overBudget](err); !waits {
			return answer, err
		}
		if time.Now().After(end) {
			return nil, socket.Refused(fmt.Sprintf("%v, after %v", err, r.WaitBudget))
		}
		if !runfile.Pause(ctx, budgetInterval) {
			return nil, context.Cause(ctx)
		}
	}
}

// setNow carries out an order in its turn. With a place in the line it leaves the budget to those before it.
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
		for _, short := range now.Short(meant, now.Orders.InForce()) {
			answer.Short = append(answer.Short, short.String())
		}
	}
	if r.Kind == orders.Drain {
		answer.Refusing = now.Refusing(meant)
	}
	if r.TakesOut() && !r.Waits() {
		err = o.isOut(ctx, meant)
	}
	return answer, err
}

// give records an order and gives it to the director.
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
	var ready []lvs.Backend
	if r.Kind == orders.Ready {
		ready = meant
	}
	before := o.waiting()
	err = o.pass(ctx, all, ready...)
	o.sayWaiting(before)
	return meant, runfile.While("the order is recorded; the director waits for the table", err)
}

// sayWaiting reports which orders that wait are new, and which are undone or over. The director does not know them.
func (o *standingOrders) sayWaiting(before orders.All) {
	book := orders.Book{Held: before}
	begun, undone := book.Given(o.waiting())
	tell := func(kind notify.Kind, what string, at lvs.Backend, one orders.Order, after string) {
		o.d.journal.Emit(notify.Event{Kind: kind, Status: lvs.StatusRunning, Virtual: at.Virtual, Real: at.Real,
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
		if one.IsOver(time.Now()) {
			tell(notify.OrderEnded, "Order ended", at, one, why)
		} else {
			tell(notify.Ordered, "Order undone", at, one, "")
		}
	}
}

// isOut returns an error while one of the servers still gets new connections.
func (o *standingOrders) isOut(ctx context.Context, servers []lvs.Backend) error {
	now, err := o.d.director.Snapshot(ctx)
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

// inTable returns the named servers, and then the servers of named addresses, with their places in the table, if any.
func inTable(now *view.Snapshot, meant []lvs.Backend) (list []OrderedServer) {
	index := map[lvs.Backend]int{}
	for i, at := range meant {
		index[at] = i
		list = append(list, OrderedServer{Backend: at, Fresh: now.Orders[at].Kind == ""})
	}
	_, every := index[lvs.Backend{Virtual: orders.EveryAddress}]
	var announced []string // the virtual services of the named addresses
	for _, one := range now.Announcements {
		if _, named := index[lvs.Backend{Virtual: one.Address}]; named || every {
			announced = append(announced, one.IDs...)
		}
	}
	for v, s := range now.Each() {
		if i, is := index[lvs.Backend{Virtual: v.ID}]; is {
			list[i].Guard = v.Holder
		}
		at := lvs.At(v.ID, s.Real)
		if i, is := index[at]; is {
			list[i] = OrderedServer{at, v.Key, s.Addr, "", s.Waits, v.Owner,
				list[i].Fresh && s.WaitsFor == "" && (s.Order == nil || s.Order.Kind == "")}
		} else if slices.Contains(announced, v.ID) {
			list = append(list, OrderedServer{Backend: at, Key: v.Key, Addr: s.Addr})
		}
	}
	return list
}

func (o *standingOrders) orderFile() orders.File { return orders.File(o.d.lock.Drain) }

// recorded returns the orders in the file, including those of commands that got no answer. A file that is lost while
// the daemon runs is no order.
func (o *standingOrders) recorded() (orders.All, error) {
	all, err := o.orderFile().Read()
	if !runfile.Exists(o.d.lock.Drain) || errors.Is(err, runfile.ErrForeign) {
		return o.given, nil
	}
	return all, err
}

// pass has the director carry out orders. If the director does not take them, they are carried out later from the file.
func (o *standingOrders) pass(ctx context.Context, all orders.All, ready ...lvs.Backend) error {
	err := o.d.director.Order(ctx, all.InForce(), ready...)
	if err == nil {
		o.know(all)
	}
	return err
}

// beginDue begins the orders whose time has come, all or none of each command: those that would leave too few servers
// wait. What beginTime does not suffice for is left for the next turn.
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
		if short := now.Short(due.Out(), o.given.InForce()); len(short) > 0 {
			o.sayLate(since, true, "An order waits for enough servers: "+short[0].String())
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

// dueCommands are the orders whose time has come, by when their commands gave them.
func (o *standingOrders) dueCommands() map[time.Time]orders.All {
	commands := map[time.Time]orders.All{}
	for at, one := range o.given.Due(time.Now()) {
		if commands[one.Since] == nil {
			commands[one.Since] = orders.All{}
		}
		commands[one.Since][at] = one
	}
	return commands
}

// sayLate reports once why the orders of a command don't begin at their time.
func (o *standingOrders) sayLate(since time.Time, isShort bool, why string) {
	if _, isTold := o.late[since]; !isTold {
		o.d.say(notify.OrderWaits, "%s", why)
	}
	o.late[since] = isShort
}

// begin puts orders that have waited in force, unless they can't be recorded. If the director does not take them, they
// are carried out later from the file. Orders that a command has just recorded are carried out first.
func (o *standingOrders) begin(ctx context.Context, due orders.All) error {
	recorded, err := o.recorded()
	if err != nil || !maps.Equal(recorded, o.given) {
		return err
	}
	all, since := maps.Clone(o.given), time.Now().UTC().Truncate(time.Second)
	for at, one := range due {
		one.Since = since
		all[at] = one
	}
	err = o.orderFile().Write(all)
	if err == nil {
		_ = o.pass(ctx, all)
	}
	return err
}

// waiting are the orders that wait.
func (o *standingOrders) waiting() orders.All { return o.known.Load().Waiting() }

// withWaiting are orders in force, and those that wait.
func (o *standingOrders) withWaiting(inForce orders.All) orders.All {
	all := o.waiting()
	for at, one := range inForce {
		if !all[at].Waits() {
			all[at] = one
		}
	}
	return all
}

// followGiven carries out recorded orders.
func (o *standingOrders) followGiven(ctx context.Context) bool {
	all, err := o.recorded()
	return err == nil && (maps.Equal(all, o.given) || o.pass(ctx, all) == nil)
}

// keepGiven saves the orders if they were lost, and drops those that are over: the director has ended those that began.
// Orders that a command has just recorded are carried out first.
func (o *standingOrders) keepGiven(ctx context.Context) {
	held := o.given.At(time.Now())
	var now *view.Snapshot
	maps.DeleteFunc(held, func(at lvs.Backend, given orders.Order) bool {
		if now == nil && given.Kind == orders.Obey {
			now, _ = o.d.director.Snapshot(ctx)
		}
		return now != nil && now.Over[at] == given
	})
	over := len(held) < len(o.given)
	lost := len(held) > 0 && !runfile.Exists(o.d.lock.Drain)
	if !over && !lost {
		return
	}
	recorded, err := o.recorded()
	if err == nil && maps.Equal(recorded, o.given) && o.orderFile().Write(held) == nil {
		before := o.given.Waiting()
		o.know(held)
		o.sayWaiting(before)
	}
}
