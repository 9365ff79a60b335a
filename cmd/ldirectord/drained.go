package main

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

// drainsNow are the orders to drain that the daemon follows. They belong to who has the turn.
type drainsNow struct {
	backends map[director.Backend]bool
	unread   bool // they could not be read; then there may be more
}

// drainAnswer is what became of an order to drain, or not to.
type drainAnswer struct {
	Servers  []meantServer `json:"servers"`
	Refusing []string      `json:"refusing,omitempty"` // virtual services that refuse the clients of a drained server
}

// meantServer is a real server that an operator meant, and where it is in the table.
type meantServer struct {
	Virtual string         `json:"virtual"`
	Real    string         `json:"real"`
	Key     ipvsctl.Key    `json:"key"`
	Addr    netip.AddrPort `json:"addr"`
}

func (d *daemon) answerDrain(ctx context.Context, words url.Values) (any, error) {
	return d.changeDrains(ctx, words, true)
}

func (d *daemon) answerUndrain(ctx context.Context, words url.Values) (any, error) {
	return d.changeDrains(ctx, words, false)
}

// changeDrains takes servers out for new connections, or lets them back. The order is recorded before anything
// changes: what can't be recorded is not done.
func (d *daemon) changeDrains(ctx context.Context, words url.Values, drained bool) (any, error) {
	release, err := d.inTurn(ctx)
	if err != nil {
		return nil, err
	}
	defer release()
	if err := isAwaited(ctx); err != nil {
		return nil, err
	}
	if d.drains.unread {
		if err := d.readDrains(); err != nil {
			return nil, notDone(fmt.Sprintf("nothing is changed: %v", err))
		}
	}
	now, err := d.director.Snapshot(ctx)
	if err != nil {
		return nil, err
	}
	backends := now.Backends(words.Get("virtual"), words.Get("server"))
	if len(backends) == 0 {
		return nil, notDone(noSuchServer(d.path, words.Get("virtual"), words.Get("server")))
	}
	if p, last := now.Last(backends, d.drains.backends); last && drained && !words.Has("force") {
		return nil, notDone(lastServer(p))
	}
	all := changed(d.drains.backends, backends, drained)
	if err := d.drainFile().write(all); err != nil {
		return nil, notDone(fmt.Sprintf("nothing is changed: %v", err))
	}
	d.drains.backends = all
	if err := d.director.Drain(ctx, all); err != nil {
		return nil, fmt.Errorf("the order is recorded; the director waits for the table: %w", err)
	}
	answer := drainAnswer{Servers: meant(now, backends)}
	if drained {
		answer.Refusing = now.Refusing(backends)
		err = d.isDrained(ctx, backends)
	}
	return answer, err
}

// isDrained is an error while one of the servers still gets new connections.
func (d *daemon) isDrained(ctx context.Context, backends []director.Backend) error {
	now, err := d.director.Snapshot(ctx)
	if err != nil {
		return fmt.Errorf("the order is recorded: %w", err)
	}
	if p, why, any := now.Undrained(backends); any {
		return notDone(fmt.Sprintf("the order is recorded, but %s still gets new connections of %s, and it is tried again: %s", p.Real, p.Virtual, why))
	}
	return nil
}

func noSuchServer(path, virtual, real string) string {
	if virtual == "" {
		return fmt.Sprintf("%s has no real server %s", path, real)
	}
	return fmt.Sprintf("%s has no virtual service %s with a real server %s; a virtual service is called ADDRESS:PORT, as status has it, or by its mark", path, virtual, real)
}

func lastServer(p director.Backend) string {
	return fmt.Sprintf("%s is the last server of %s; --force drains it all the same", p.Real, p.Virtual)
}

// changed are the orders with these servers among them, or without them.
func changed(orders map[director.Backend]bool, backends []director.Backend, drained bool) map[director.Backend]bool {
	all := map[director.Backend]bool{}
	maps.Copy(all, orders)
	for _, p := range backends {
		if drained {
			all[p] = true
		} else {
			delete(all, p)
		}
	}
	return all
}

func meant(now *director.Snapshot, backends []director.Backend) (servers []meantServer) {
	asked := changed(nil, backends, true)
	for _, v := range now.Virtuals {
		for _, s := range v.Servers {
			if asked[director.Backend{Virtual: v.ID, Real: s.Real}] {
				servers = append(servers, meantServer{v.ID, s.Real, v.Key, s.Addr})
			}
		}
	}
	return servers
}

// readDrains reads the orders that a daemon before left, or a command that got no answer. A file that is lost while
// the daemon runs is no order.
func (d *daemon) readDrains() error {
	backends, err := d.drainFile().read()
	d.drains.unread = err != nil
	if err == nil && instance.Exists(d.hold.Drain) {
		d.drains.backends = backends
	}
	return err
}

// followDrains carries out, until ctx is done, what a command recorded that got no answer.
func (d *daemon) followDrains(ctx context.Context) {
	followFile(ctx, string(d.drainFile()), func() bool {
		release, err := d.inTurn(ctx)
		if err != nil {
			return false
		}
		defer release()
		before := d.drains.backends
		if d.readDrains() != nil {
			return false
		}
		return maps.Equal(before, d.drains.backends) || d.director.Drain(ctx, d.drains.backends) == nil
	})
}
