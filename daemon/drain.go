package daemon

import (
	"context"
	"fmt"
	"maps"
	"net/netip"
	"net/url"

	"ldirectord/director"
	"ldirectord/instance"
	"ldirectord/ipvsctl"
)

// DrainOrder takes real servers out for new connections, or lets them back to what their checks say.
type DrainOrder struct {
	Drain   bool   // or undrain
	Virtual string // as the operator named it; "" for any
	Real    string
	Force   bool // also the last server of a virtual service
}

// DrainAnswer is the outcome of a DrainOrder.
type DrainAnswer struct {
	Servers  []DrainedServer `json:"servers"`
	Refusing []string        `json:"refusing,omitempty"` // virtual services that refuse the clients of a drained server
}

// DrainedServer is a real server that an order meant, and where it is in the table.
type DrainedServer struct {
	Virtual string         `json:"virtual"`
	Real    string         `json:"real"`
	Key     ipvsctl.Key    `json:"key"`
	Addr    netip.AddrPort `json:"addr"`
}

// Send gives the order to the running daemon. Errors are those of instance.Socket.Order.
func (r DrainOrder) Send(ctx context.Context, s instance.Socket) (DrainAnswer, error) {
	words := url.Values{"virtual": {r.Virtual}, "server": {r.Real}}
	if r.Force {
		words.Set("force", "")
	}
	path := "/undrain"
	if r.Drain {
		path = "/drain"
	}
	var answer DrainAnswer
	err := s.Order(ctx, OrderTimeout, path, words, &answer)
	return answer, err
}

// Record writes the order down for a daemon that gives no answer, or for the next one. Who is the last server is judged
// by the configuration alone. It returns the servers meant.
func (r DrainOrder) Record(ctx context.Context, i instance.Instance, plan *director.Plan) ([]director.Backend, error) {
	servers := plan.Backends(r.Virtual, r.Real)
	if len(servers) == 0 {
		return nil, r.unknown(i.Path)
	}
	lock, err := i.LockFolder(ctx)
	if err != nil {
		return nil, err
	}
	defer lock.Close()
	before, err := Drained(i)
	if err != nil {
		return nil, err
	}
	now := r.after(before, servers)
	left := map[string]int{}
	for _, p := range plan.Backends("", "") {
		if !now[p] {
			left[p.Virtual]++
		}
	}
	for _, p := range servers {
		if r.Drain && !r.Force && left[p.Virtual] == 0 {
			return nil, lastServer(p)
		}
	}
	return servers, drainFile(i.Files().Drain).write(now)
}

// unknown refuses an order for a server that does not exist.
func (r DrainOrder) unknown(path string) error {
	if r.Virtual == "" {
		return refusal(fmt.Sprintf("%s has no real server %s", path, r.Real))
	}
	return refusal(fmt.Sprintf("%s has no virtual service %s with a real server %s; a virtual service is called ADDRESS:PORT, as status has it, or by its mark", path, r.Virtual, r.Real))
}

func lastServer(p director.Backend) error {
	return refusal(fmt.Sprintf("%s is the last server of %s; --force drains it all the same", p.Real, p.Virtual))
}

// after are the drained servers when the order was carried out.
func (r DrainOrder) after(before map[director.Backend]bool, servers []director.Backend) map[director.Backend]bool {
	now := map[director.Backend]bool{}
	maps.Copy(now, before)
	for _, p := range servers {
		if r.Drain {
			now[p] = true
		} else {
			delete(now, p)
		}
	}
	return now
}

// answerDrain answers an order to drain, or not to.
func (o *orders) answerDrain(drain bool) func(context.Context, url.Values) (any, error) {
	return func(ctx context.Context, words url.Values) (any, error) {
		return o.changeDrained(ctx, DrainOrder{drain, words.Get("virtual"), words.Get("server"), words.Has("force")})
	}
}

// changeDrained carries an order out. It is recorded before anything changes: what can't be recorded is not done.
func (o *orders) changeDrained(ctx context.Context, r DrainOrder) (any, error) {
	release, err := o.inTurn(ctx)
	if err != nil {
		return nil, err
	}
	defer release()
	if err := isAwaited(ctx); err != nil {
		return nil, err
	}
	if o.unread {
		if err := o.readDrained(); err != nil {
			return nil, refusal(fmt.Sprintf("nothing is changed: %v", err))
		}
	}
	now, err := o.d.director.Snapshot(ctx)
	if err != nil {
		return nil, err
	}
	servers := now.Backends(r.Virtual, r.Real)
	if len(servers) == 0 {
		return nil, r.unknown(o.d.Config.Path)
	}
	if p, last := now.Last(servers, o.drained); last && r.Drain && !r.Force {
		return nil, lastServer(p)
	}
	all := r.after(o.drained, servers)
	if err := o.drainFile().write(all); err != nil {
		return nil, refusal(fmt.Sprintf("nothing is changed: %v", err))
	}
	o.drained = all
	if err := o.d.director.Drain(ctx, all); err != nil {
		return nil, fmt.Errorf("the order is recorded; the director waits for the table: %w", err)
	}
	answer := DrainAnswer{Servers: inTable(now, servers)}
	if r.Drain {
		answer.Refusing = now.Refusing(servers)
		err = o.isDrained(ctx, servers)
	}
	return answer, err
}

// isDrained returns an error while one of the servers still gets new connections.
func (o *orders) isDrained(ctx context.Context, servers []director.Backend) error {
	now, err := o.d.director.Snapshot(ctx)
	if err != nil {
		return fmt.Errorf("the order is recorded: %w", err)
	}
	if p, why, any := now.Undrained(servers); any {
		return refusal(fmt.Sprintf("the order is recorded, but %s still gets new connections of %s, and it is tried again: %s", p.Real, p.Virtual, why))
	}
	return nil
}

// inTable are servers with their places in the table.
func inTable(now *director.Snapshot, servers []director.Backend) (list []DrainedServer) {
	meant := DrainOrder{Drain: true}.after(nil, servers)
	for _, v := range now.Virtuals {
		for _, s := range v.Servers {
			if meant[director.Backend{Virtual: v.ID, Real: s.Real}] {
				list = append(list, DrainedServer{v.ID, s.Real, v.Key, s.Addr})
			}
		}
	}
	return list
}

func (o *orders) drainFile() drainFile { return drainFile(o.d.lock.Drain) }

// readDrained reads the orders that a daemon before left, or a command that got no answer. A file that is lost while
// the daemon runs is no order.
func (o *orders) readDrained() error {
	servers, err := o.drainFile().read()
	o.unread = err != nil
	if err == nil && instance.Exists(o.d.lock.Drain) {
		o.drained = servers
	}
	return err
}

// followDrained carries out what a command recorded.
func (o *orders) followDrained(ctx context.Context) bool {
	before := o.drained
	if o.readDrained() != nil {
		return false
	}
	return maps.Equal(before, o.drained) || o.d.director.Drain(ctx, o.drained) == nil
}
