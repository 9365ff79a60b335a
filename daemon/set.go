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
	"strconv"
	"strings"
	"time"

	"ldirectord/control"
	"ldirectord/director"
	"ldirectord/instance"
	"ldirectord/lvs"
	"ldirectord/maintenance"
	"ldirectord/parser"
	"ldirectord/printable"
	"ldirectord/run"
)

// SetOrder is an order for real servers, or for the virtual services of a name. One to be ready takes back what was
// ordered.
type SetOrder struct {
	Virtual string // as the operator named it; "" for any
	Real    string // "" with Obey, and to take that back
	Force   bool   // also for the last server of a virtual service
	director.Order

	last string // how long it lasts; "" where it ends at a time, or never
}

// SetAnswer is the outcome of a SetOrder.
type SetAnswer struct {
	Servers []OrderedServer `json:"servers"`
	// virtual services that refuse the clients of a drained server
	Refusing []string `json:"refusing,omitempty"`
}

// OrderedServer is what an order meant, and where a real server is in the table.
type OrderedServer struct {
	director.Backend
	Key  lvs.Key        `json:"key"`
	Addr netip.AddrPort `json:"addr"`
	// of a virtual service: checkvip guards it, and keepserving does not
	Brake bool   `json:"brake,omitempty"`
	Waits bool   `json:"waits,omitempty"` // it has no address yet
	Owner string `json:"owner,omitempty"` // the other daemon that has the virtual service
}

const maxWhy = 200 // bytes of a reason that are kept

// orderKinds are the orders that take no number.
var orderKinds = []director.OrderKind{director.Drain, director.Maint, director.Ready, director.Obey, director.Withdraw,
	director.Announce}

// NewSetOrder reads what is ordered: drain, maint, ready, obey, or weight and a number, of which 0 is drain. A reason
// and an end may be given: a time (18:00), or how long from now (2h).
func NewSetOrder(what, why, until, last string) (r SetOrder, err error) {
	why, more := printable.Cut(printable.Line(strings.TrimSpace(why)), maxWhy)
	now := time.Now()
	r.Order = director.Order{Kind: director.OrderKind(what), Why: why + more, Since: second(now)}
	number, weighs := strings.CutPrefix(what, string(director.Weigh)+" ")
	switch {
	case weighs:
		n, err := strconv.ParseUint(number, 10, 31)
		if err != nil {
			return r, fmt.Errorf("%q is not a weight: 1 to %d are allowed, and 0, which is drain", number,
				1<<31-1)
		}
		if r.Kind, r.Weight = director.Weigh, int(n); n == 0 {
			r.Kind = director.Drain
		}
	case !slices.Contains(orderKinds, r.Kind):
		return r, fmt.Errorf("%q is not an order: drain, maint, ready and weight N are allowed", what)
	case r.takesBack() && (why != "" || until != "" || last != ""):
		return r, errors.New(
			"an order that is taken back has no reason and no end: why, until and for go with drain, " +
				"maint, weight N, obey and withdraw")
	}
	r.last = last
	if r.Until, err = endOf(until, last, now); last != "" {
		r.Boot, r.Ends = run.BootID(), run.SinceBoot()+r.Until.Sub(now)
	}
	return r, err
}

// takesBack reports whether it ends an order.
func (r SetOrder) takesBack() bool { return r.Kind == director.Ready || r.Kind == director.Announce }

// endOf is when an order ends; zero for never.
func endOf(until, last string, now time.Time) (time.Time, error) {
	switch {
	case until != "" && last != "":
		return now, errors.New("one end is enough: either until or for")
	case last != "":
		d, unit, ok := parser.ParseSeconds(last)
		if !ok || unit == "" || d < 1 || d > 3650*24*3600 {
			return now, fmt.Errorf(
				"%q is not a time that an order can last: 90s, 30m, 2h or 1d are, up to 3650d", last)
		}
		return second(now.Add(d.Duration())), nil
	case until == "":
		return time.Time{}, nil
	}
	end, err := maintenance.ParseUntil(until, now)
	if err == nil && !end.After(now) {
		err = fmt.Errorf("%s is over", until)
	}
	return second(end), err
}

// second is a time in the form of an order's.
func second(t time.Time) time.Time { return time.Unix(t.Unix(), 0).UTC() }

// Send gives the order to the running daemon. Errors are those of control.Socket.Order.
func (r SetOrder) Send(ctx context.Context, s control.Socket) (answer SetAnswer, err error) {
	words := url.Values{"virtual": {r.Virtual}, "server": {r.Real}, "order": {r.What()}, "why": {r.Why}}
	if r.last != "" {
		words.Set("for", r.last)
	} else if !r.Until.IsZero() {
		words.Set("until", r.Until.Format(time.RFC3339))
	}
	if r.Force {
		words.Set("force", "")
	}
	err = s.Order(ctx, OrderTimeout, "/set", words, &answer)
	return answer, err
}

// Record writes the order down for a daemon that gives no answer, or for the next one. Who is the last server is judged
// by the configuration alone.
func (r SetOrder) Record(ctx context.Context, i instance.Instance, plan *director.Plan) (answer SetAnswer, err error) {
	lock, err := i.LockFolder(ctx)
	if err != nil {
		return answer, err
	}
	defer lock.Close()
	all, err := Ordered(i)
	if err != nil {
		return answer, err
	}
	r.By = instance.UserName(os.Geteuid())
	now := plan.Snapshot()
	meant, err := r.carryOut(now, all, i.Path, orderFile(i.Files().Drain))
	answer.Servers = inTable(now, meant)
	return answer, err
}

// carryOut changes the orders that hold, records them, and returns for what.
func (r SetOrder) carryOut(now *director.Snapshot, all director.Orders, path string,
	file orderFile) ([]director.Backend, error) {
	meant, err := r.meant(now, all, path)
	if err != nil {
		return nil, err
	}
	if last := now.Last(meant, all); len(last) > 0 && r.TakesOut() && !r.Force {
		return nil, lastServers(last, r.What())
	}
	for _, p := range append(now.Aliases(meant), meant...) {
		delete(all, p)
	}
	for _, p := range meant {
		if !r.takesBack() {
			all[p] = r.Order
		}
	}
	if err := file.write(all); err != nil {
		return nil, control.Refused(fmt.Sprintf("nothing is changed: %v", err))
	}
	return meant, nil
}

// lastServers refuses an order for the last servers of virtual services.
func lastServers(last []director.Backend, what string) error {
	names := make([]string, len(last))
	for i, at := range last {
		names[i] = fmt.Sprintf("%s is the last server of %s", at.Real, at.Virtual)
	}
	return control.Refused(fmt.Sprintf("%s; --force orders %s all the same", strings.Join(names, ", "), what))
}

const howCalled = "a virtual service is called ADDRESS:PORT, as status has it, by its mark or by its servicename"

// meant is what the order is for. One for what the file lost can be undone.
func (r SetOrder) meant(now *director.Snapshot, all director.Orders, path string) ([]director.Backend, error) {
	virtual := &r.Virtual
	if r.Virtual == "" && len(now.Backends("", r.Real)) == 0 { // the only word, as for obey
		virtual = &r.Real
	}
	if err := now.Called(virtual); err != nil {
		return nil, control.Refused(err.Error())
	}
	found, why := now.Backends(r.Virtual, r.Real), fmt.Sprintf("%s has no real server %s", path, r.Real)
	switch {
	case r.Kind == director.Withdraw, r.Kind == director.Announce:
		found, why = r.announced(now, all, path)
	case r.Kind == director.Obey || r.Kind == director.Ready && r.Real == "":
		found, why = r.guarded(now)
	case r.Virtual != "":
		why = fmt.Sprintf("%s has no virtual service %s with a real server %s; %s", path, r.Virtual, r.Real,
			howCalled)
	}
	known := append(now.Aliases(found), found...)
	for _, p := range all.Sorted() {
		if r.Kind == director.Ready && p.IsMeant(r.Virtual, r.Real) && !slices.Contains(known, p) {
			found = append(found, p)
		}
	}
	if len(found) == 0 {
		return nil, control.Refused(why)
	}
	return found, nil
}

// guarded are the virtual services that the order to obey, or not any more, is for, and why it is for no other.
func (r SetOrder) guarded(now *director.Snapshot) (found []director.Backend, why string) {
	name := strings.TrimSpace(r.Virtual + " " + r.Real)
	why = fmt.Sprintf("there is no virtual service %s; %s", name, howCalled)
	for i := range now.Virtuals {
		switch v := &now.Virtuals[i]; {
		case name != v.ID && name != v.Name:
		case v.Guard.Keeps == 0 && !v.Guard.Brake:
			why = v.ID + " has no keepserving: its checks decide already"
		case r.Kind == director.Obey && v.Guard.Rests:
			why = "every server of " + v.ID + " is up: the order would end at once"
		default:
			found = append(found, director.Backend{Virtual: v.ID})
		}
	}
	return found, why
}

// announced are the addresses that the order to withdraw, or not any more, is for.
func (r SetOrder) announced(now *director.Snapshot, all director.Orders, path string) (found []director.Backend,
	why string) {
	back, every := r.Kind == director.Announce, director.Backend{Virtual: director.EveryAddress}
	isMeant := func(address string) bool { return address == r.Virtual || r.Virtual == every.Virtual }
	if _, withdrawn := all[every]; back && withdrawn && r.Virtual != every.Virtual {
		return nil, "every address is withdrawn by order; announce without an address ends that"
	}
	for at, o := range all {
		if back && o.Kind == director.Withdraw && isMeant(at.Virtual) {
			found = append(found, at)
		}
	}
	if len(found) == 0 && slices.ContainsFunc(now.Announcements,
		func(one director.AnnouncementSnapshot) bool { return isMeant(one.Address) }) {
		found = append(found, director.Backend{Virtual: r.Virtual})
	}
	return found, strings.TrimSuffix(fmt.Sprintf("%s announces no address %s", path, r.Virtual), " "+every.Virtual)
}

// set carries an order out in its turn, by what runs then. It is recorded before anything changes: what can't be
// recorded is not done.
func (o *orders) set(ctx context.Context, words url.Values) (any, error) {
	r, err := NewSetOrder(words.Get("order"), words.Get("why"), words.Get("until"), words.Get("for"))
	if err != nil {
		return nil, control.Refused(err.Error())
	}
	r.Virtual, r.Real, r.Force = words.Get("virtual"), words.Get("server"), words.Has("force")
	if uid := control.UserOf(ctx); uid >= 0 {
		r.By = instance.UserName(uid)
	}
	release, err := o.inTurn(ctx)
	if err != nil {
		return nil, err
	}
	defer release()
	if err := control.IsAwaited(ctx); err != nil {
		return nil, err
	}
	now, err := o.d.director.Snapshot(ctx)
	if err != nil {
		return nil, err
	}
	meant, err := o.give(ctx, r, now)
	if err != nil {
		return nil, err
	}
	answer := SetAnswer{Servers: inTable(now, meant)}
	if r.Kind == director.Drain {
		answer.Refusing = now.Refusing(meant)
	}
	if r.TakesOut() {
		err = o.isOut(ctx, meant)
	}
	return answer, err
}

// give records an order and gives it to the director.
func (o *orders) give(ctx context.Context, r SetOrder, now *director.Snapshot) ([]director.Backend, error) {
	all, err := o.recorded()
	if err != nil {
		return nil, control.Refused(fmt.Sprintf("nothing is changed: %v", err))
	}
	all = all.At(time.Now())
	meant, err := r.carryOut(now, all, o.d.Config.Path, o.orderFile())
	if err != nil {
		return nil, err
	}
	if err := o.pass(ctx, all); err != nil {
		return nil, fmt.Errorf("the order is recorded; the director waits for the table: %w", err)
	}
	return meant, nil
}

// isOut returns an error while one of the servers still gets new connections.
func (o *orders) isOut(ctx context.Context, servers []director.Backend) error {
	now, err := o.d.director.Snapshot(ctx)
	if err != nil {
		return fmt.Errorf("the order is recorded: %w", err)
	}
	if p, why, any := now.Undrained(servers); any {
		return control.Refused(
			fmt.Sprintf(
				"the order is recorded, but %s still gets new connections of %s, and it is tried "+
					"again: %s", p.Real, p.Virtual, why))
	}
	return nil
}

// inTable is what is meant, and then the servers of addresses that are meant, with their places in the table; what is
// not there has none.
func inTable(now *director.Snapshot, meant []director.Backend) (list []OrderedServer) {
	index := map[director.Backend]int{}
	for i, at := range meant {
		index[at] = i
		list = append(list, OrderedServer{Backend: at})
	}
	every := slices.Contains(meant, director.Backend{Virtual: director.EveryAddress})
	var announced []string // the virtual services of the addresses that are meant
	for _, one := range now.Announcements {
		if every || slices.Contains(meant, director.Backend{Virtual: one.Address}) {
			announced = append(announced, one.IDs...)
		}
	}
	for v, s := range now.Each() {
		if i, is := index[director.Backend{Virtual: v.ID}]; is {
			list[i].Brake = v.Guard.Brake && v.Guard.Keeps == 0
		}
		at := director.Backend{Virtual: v.ID, Real: s.Real}
		if i, is := index[at]; is {
			list[i].Key, list[i].Addr, list[i].Waits, list[i].Owner = v.Key, s.Addr, s.Waits, v.Owner
		} else if slices.Contains(announced, v.ID) {
			list = append(list, OrderedServer{Backend: at, Key: v.Key, Addr: s.Addr})
		}
	}
	return list
}

func (o *orders) orderFile() orderFile { return orderFile(o.d.lock.Drain) }

// recorded are the orders in the file, with those of commands that got no answer. A file that is lost while the daemon
// runs is no order.
func (o *orders) recorded() (director.Orders, error) {
	all, err := o.orderFile().read()
	if !run.Exists(o.d.lock.Drain) || errors.Is(err, run.ErrForeign) {
		return o.given, nil
	}
	return all, err
}

// pass has the director carry orders out. Those that it did not take are followed later, as what is new in the file.
func (o *orders) pass(ctx context.Context, all director.Orders) error {
	err := o.d.director.Order(ctx, all)
	if err == nil {
		o.given = all
	}
	return err
}

// followGiven carries out what a command recorded.
func (o *orders) followGiven(ctx context.Context) bool {
	all, err := o.recorded()
	return err == nil && (maps.Equal(all, o.given) || o.pass(ctx, all) == nil)
}

// keepGiven saves the orders if they were lost, and drops those that are over: the director has ended them. What a
// command has just recorded is carried out first.
func (o *orders) keepGiven(ctx context.Context) {
	held := o.given.At(time.Now())
	var now *director.Snapshot
	maps.DeleteFunc(held, func(at director.Backend, given director.Order) bool {
		if now == nil && given.Kind == director.Obey {
			now, _ = o.d.director.Snapshot(ctx)
		}
		return now != nil && now.Over[at] == given
	})
	over := len(held) < len(o.given)
	lost := len(held) > 0 && !run.Exists(o.d.lock.Drain)
	if !over && !lost {
		return
	}
	recorded, err := o.recorded()
	if err == nil && maps.Equal(recorded, o.given) && o.orderFile().write(held) == nil {
		o.given = held
	}
}
