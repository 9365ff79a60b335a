package ipvsctl

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"syscall"

	"ldirectord/internal/lvs"

	"golang.org/x/sys/unix"
)

// Read returns the whole table, see Client.
func (k *kernel) Read(ctx context.Context) (lvs.Table, error) {
	read := func(c *conn) (lvs.Table, error) { return c.genl.read() }
	table, err := request(ctx, k, read)
	var absent *absentError
	if errors.Is(err, syscall.ENOENT) && !errors.As(err, &absent) { // the module was unloaded
		table, err = request(ctx, k, read)
	}
	if err != nil {
		return nil, &OpError{Op: "read", Err: err}
	}
	return table, nil
}

// Timeouts changes the timeouts of idle connections, see Client.
func (k *kernel) Timeouts(ctx context.Context, order lvs.Timeouts) (lvs.Timeouts, error) {
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	was, err := request(ctx, k, func(c *conn) (lvs.Timeouts, error) { return c.moby.timeouts(order) })
	return was, failed("--set "+order.String(), err)
}

// Services returns the destinations of the given services, see Client.
func (k *kernel) Services(ctx context.Context, keys ...lvs.Key) (lvs.Table, error) {
	read := func(c *conn) (lvs.Table, error) { return c.genl.services(keys) }
	if k.raw {
		return rawRequest(ctx, k, read)
	}
	return request(ctx, k, read)
}

// services reads the destinations of the given services.
func (g *genl) services(keys []lvs.Key) (lvs.Table, error) {
	all := make(lvs.Table, len(keys))
	for _, key := range keys {
		if _, twice := all[key]; twice {
			continue
		}
		service := lvs.VirtualService{Key: key}
		if err := g.dests(&service); err != nil {
			return all, failed("connections of "+key.String(), err)
		}
		all[key] = service
	}
	return all, nil
}

// inOrder returns the destinations of a service, see Access.
func (k *kernel) inOrder(ctx context.Context, key lvs.Key) ([]lvs.Dest, error) {
	all, err := request(ctx, k, func(c *conn) (all []lvs.Dest, err error) {
		err = c.genl.ask(c.genl.family, cmdGetDest, unix.NLM_F_DUMP, func(a attrs) error {
			dest, _, err := parseDest(a[cmdAttrDest], key.IPv6)
			all = append(all, dest)
			return err
		}, keyAttr(key))
		return all, err
	})
	return all, failed("destinations of "+key.String(), err)
}

// read requests the services, and then the destinations of one service after the other. The kernel accepts a request
// for a list only after it has answered the previous one.
func (g *genl) read() (lvs.Table, error) {
	table := make(lvs.Table)
	err := g.ask(g.family, cmdGetService, unix.NLM_F_DUMP, func(a attrs) error {
		service, err := parseService(a[cmdAttrService])
		if !isPrivate(&service) {
			table[service.Key] = service
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("services: %w", err)
	}
	for key, service := range table {
		if err := g.dests(&service); err != nil {
			return nil, fmt.Errorf("destinations of %s: %w", key, err)
		}
		table[key] = service
	}
	return table, nil
}

// dests reads the destinations of a service. A missing service has none.
func (g *genl) dests(s *lvs.VirtualService) error {
	if g.seq%lvs.Batch == 0 { // it may be one of many requests, which need more time
		g.wait()
	}
	found := map[netip.AddrPort]lvs.Dest{} // a destination may appear twice
	s.Counters = map[netip.AddrPort]lvs.Counters{}
	err := g.ask(g.family, cmdGetDest, unix.NLM_F_DUMP, func(a attrs) error {
		dest, counters, err := parseDest(a[cmdAttrDest], s.Key.IPv6)
		if err == nil {
			found[dest.Addr], s.Counters[dest.Addr] = dest, counters
		}
		return err
	}, keyAttr(s.Key))
	s.Dests = lvs.DestsOf(found)
	return err
}
