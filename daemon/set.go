package daemon

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"net/netip"
	"net/url"
	"os"
	"os/user"
	"slices"
	"strconv"
	"strings"
	"time"

	"ldirectord/director"
	"ldirectord/instance"
	"ldirectord/ipvsctl"
	"ldirectord/maintenance"
	"ldirectord/printable"
)

// SetOrder is an order for real servers. One to be ready takes back what was ordered.
type SetOrder struct {
	Virtual string // as the operator named it; "" for any
	Real    string
	Force   bool // also for the last server of a virtual service
	director.Order
}

// SetAnswer is the outcome of a SetOrder.
type SetAnswer struct {
	Servers  []OrderedServer `json:"servers"`
	Refusing []string        `json:"refusing,omitempty"` // virtual services that refuse the clients of a drained server
}

// OrderedServer is a real server that an order meant, and where it is in the table.
type OrderedServer struct {
	Virtual string         `json:"virtual"`
	Real    string         `json:"real"`
	Key     ipvsctl.Key    `json:"key"`
	Addr    netip.AddrPort `json:"addr"`
}

const maxWhy = 200 // bytes of a reason that are kept

// NewSetOrder reads what is ordered: drain, maint, ready, or weight and a number, of which 0 is drain. A reason and an
// end may be given: a time (18:00), or how long from now (2h).
func NewSetOrder(what, why, until, last string) (r SetOrder, err error) {
	why, more := printable.Cut(printable.Line(strings.TrimSpace(why)), maxWhy)
	now := time.Now()
	r.Order = director.Order{Kind: director.OrderKind(what), Why: why + more, Since: second(now)}
	number, weighs := strings.CutPrefix(what, string(director.Weigh)+" ")
	switch {
	case weighs:
		n, err := strconv.ParseUint(number, 10, 31)
		if err != nil {
			return r, fmt.Errorf("%q is not a weight: 1 to %d are allowed, and 0, which is drain", number, math.MaxInt32)
		}
		if r.Kind, r.Weight = director.Weigh, int(n); n == 0 {
			r.Kind = director.Drain
		}
	case !r.TakesOut() && r.Kind != director.Ready:
		return r, fmt.Errorf("%q is not an order: drain, maint, ready and weight N are allowed", what)
	case r.Kind == director.Ready && (until != "" || last != ""):
		return r, errors.New("an order that is taken back has no end: until and for go with drain, maint and weight N")
	}
	r.Until, err = endOf(until, last, now)
	return r, err
}

// endOf is when an order ends; zero for never.
func endOf(until, last string, now time.Time) (time.Time, error) {
	switch {
	case until != "" && last != "":
		return now, errors.New("one end is enough: either until or for")
	case last != "":
		d, err := parseFor(last)
		return second(now.Add(d)), err
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

// parseFor reads how long an order lasts.
func parseFor(text string) (time.Duration, error) {
	const most = 10 * 365 * 24 * time.Hour
	d, err := time.ParseDuration(text)
	if days, is := strings.CutSuffix(text, "d"); is {
		d, err = time.ParseDuration(days + "h")
		d = min(d, most) * 24
	}
	if err != nil || d < time.Second || d > most {
		return 0, fmt.Errorf("%q is not a time that an order can last: 90s, 30m, 2h or 1d are, up to 3650d", text)
	}
	return d, nil
}

// Send gives the order to the running daemon. Errors are those of instance.Socket.Order.
func (r SetOrder) Send(ctx context.Context, s instance.Socket) (SetAnswer, error) {
	words := url.Values{"virtual": {r.Virtual}, "server": {r.Real}, "order": {r.What()}, "why": {r.Why}}
	if !r.Until.IsZero() {
		words.Set("until", r.Until.Format(time.RFC3339))
	}
	if r.Force {
		words.Set("force", "")
	}
	var answer SetAnswer
	err := s.Order(ctx, OrderTimeout, "/set", words, &answer)
	return answer, err
}

// Record writes the order down for a daemon that gives no answer, or for the next one. Who is the last server is judged
// by the configuration alone. It returns the servers meant.
func (r SetOrder) Record(ctx context.Context, i instance.Instance, plan *director.Plan) ([]director.Backend, error) {
	lock, err := i.LockFolder(ctx)
	if err != nil {
		return nil, err
	}
	defer lock.Close()
	before, err := Ordered(i)
	if err != nil {
		return nil, err
	}
	r.By = userName(os.Geteuid())
	servers, after, err := r.decide(plan.Snapshot(), before, i.Path)
	if err != nil {
		return nil, err
	}
	return servers, orderFile(i.Files().Drain).write(after)
}

// decide finds the servers of an order, and the orders that hold when it was carried out.
func (r SetOrder) decide(now *director.Snapshot, given director.Orders, path string) ([]director.Backend, director.Orders, error) {
	servers, err := r.meant(now.Backends(r.Virtual, r.Real), given, path)
	if err != nil {
		return nil, nil, err
	}
	if p, last := now.Last(servers, given); last && r.TakesOut() && !r.Force {
		does := map[director.OrderKind]string{director.Drain: "drains it", director.Maint: "takes it out"}[r.Kind]
		return nil, nil, refusal(fmt.Sprintf("%s is the last server of %s; --force %s all the same", p.Real, p.Virtual, does))
	}
	after := director.Orders{}
	maps.Copy(after, given)
	if r.Kind != director.Ready {
		for _, p := range servers {
			after[p] = r.Order
		}
		return servers, after, nil
	}
	for _, p := range append(now.Aliases(servers), servers...) {
		delete(after, p)
	}
	return servers, after, nil
}

// meant are the servers of an order. One for a server that the file lost can be undone.
func (r SetOrder) meant(servers []director.Backend, given director.Orders, path string) ([]director.Backend, error) {
	if r.Kind == director.Ready {
		for _, p := range given.Backends(r.Virtual, r.Real) {
			if !slices.Contains(servers, p) {
				servers = append(servers, p)
			}
		}
	}
	switch {
	case len(servers) > 0:
		return servers, nil
	case r.Virtual == "":
		return nil, refusal(fmt.Sprintf("%s has no real server %s", path, r.Real))
	}
	return nil, refusal(fmt.Sprintf("%s has no virtual service %s with a real server %s; a virtual service is called ADDRESS:PORT, as status has it, or by its mark", path, r.Virtual, r.Real))
}

// userName is the name of a user of this machine.
func userName(uid int) string {
	if who, err := user.LookupId(strconv.Itoa(uid)); err == nil {
		return who.Username
	}
	return "user " + strconv.Itoa(uid)
}

// set carries an order for real servers out. It is recorded before anything changes: what can't be recorded is not done.
func (o *orders) set(ctx context.Context, now *director.Snapshot, words url.Values) (any, error) {
	r, err := NewSetOrder(words.Get("order"), words.Get("why"), words.Get("until"), words.Get("for"))
	if err != nil {
		return nil, refusal(err.Error())
	}
	r.Virtual, r.Real, r.Force = words.Get("virtual"), words.Get("server"), words.Has("force")
	if who, asked := ctx.Value(clientKey{}).(*client); asked {
		r.By = userName(who.uid)
	}
	if o.unread {
		if err := o.readGiven(); err != nil {
			return nil, refusal(fmt.Sprintf("nothing is changed: %v", err))
		}
	}
	servers, all, err := r.decide(now, o.given.At(time.Now()), o.d.Config.Path)
	if err != nil {
		return nil, err
	}
	if err := o.orderFile().write(all); err != nil {
		return nil, refusal(fmt.Sprintf("nothing is changed: %v", err))
	}
	o.given = all
	if err := o.d.director.Order(ctx, all); err != nil {
		return nil, fmt.Errorf("the order is recorded; the director waits for the table: %w", err)
	}
	answer := SetAnswer{Servers: inTable(now, servers)}
	if r.Kind == director.Drain {
		answer.Refusing = now.Refusing(servers)
	}
	if r.TakesOut() {
		err = o.isOut(ctx, servers)
	}
	return answer, err
}

// isOut returns an error while one of the servers still gets new connections.
func (o *orders) isOut(ctx context.Context, servers []director.Backend) error {
	now, err := o.d.director.Snapshot(ctx)
	if err != nil {
		return fmt.Errorf("the order is recorded: %w", err)
	}
	if p, why, any := now.Undrained(servers); any {
		return refusal(fmt.Sprintf("the order is recorded, but %s still gets new connections of %s, and it is tried again: %s", p.Real, p.Virtual, why))
	}
	return nil
}

// inTable are servers with their places in the table; those that are not configured have none.
func inTable(now *director.Snapshot, servers []director.Backend) (list []OrderedServer) {
	places := map[director.Backend]OrderedServer{}
	for _, v := range now.Virtuals {
		for _, s := range v.Servers {
			places[director.Backend{Virtual: v.ID, Real: s.Real}] = OrderedServer{v.ID, s.Real, v.Key, s.Addr}
		}
	}
	for _, p := range servers {
		list = append(list, cmp.Or(places[p], OrderedServer{Virtual: p.Virtual, Real: p.Real}))
	}
	return list
}

func (o *orders) orderFile() orderFile { return orderFile(o.d.lock.Drain) }

// readGiven reads the orders that a daemon before left, or a command that got no answer. A file that is lost while
// the daemon runs is no order.
func (o *orders) readGiven() error {
	all, err := o.orderFile().read()
	o.unread = err != nil
	if (err == nil || o.given == nil) && instance.Exists(o.d.lock.Drain) {
		o.given = all
	}
	return err
}

// followGiven carries out what a command recorded.
func (o *orders) followGiven(ctx context.Context) bool {
	before := o.given
	if o.readGiven() != nil {
		return false
	}
	return maps.Equal(before, o.given) || o.d.director.Order(ctx, o.given) == nil
}

// keepGiven saves the orders if they were lost, and drops those that are over: the director has ended them. What a
// command has just recorded is carried out first.
func (o *orders) keepGiven() {
	held := o.given.At(time.Now())
	there := instance.Exists(o.d.lock.Drain)
	if len(held) == len(o.given) && (there || len(held) == 0) {
		return
	}
	if recorded, err := o.orderFile().read(); there && (err != nil || !maps.Equal(recorded, o.given)) {
		return
	}
	if o.orderFile().write(held) == nil {
		o.given = held
	}
}
