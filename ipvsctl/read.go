//go:build linux

package ipvsctl

import (
	"context"
	"fmt"
	"net/netip"

	"golang.org/x/sys/unix"
)

// Read returns the whole table, see Client.
func (k *Kernel) Read(ctx context.Context) (Table, error) {
	table := make(Table)
	err := k.request(ctx, func(c *conn) error { return c.genl.read(table) })
	if err != nil {
		return nil, &OpError{Op: "read", Err: err}
	}
	return table, nil
}

// Counters returns the counters of these services' destinations, see Client.
func (k *Kernel) Counters(ctx context.Context, keys ...Key) (map[Key]map[netip.AddrPort]Counters, error) {
	all := make(map[Key]map[netip.AddrPort]Counters, len(keys))
	var key Key
	err := k.request(ctx, func(c *conn) error {
		c.genl.untold = k.Untold
		defer func() { c.genl.untold = false }()
		for _, key = range keys {
			if _, twice := all[key]; twice {
				continue
			}
			counters := make(map[netip.AddrPort]Counters)
			if err := c.genl.dests(key, func(d Dest, n Counters) { counters[d.Addr] = n }); err != nil {
				return err
			}
			all[key] = counters
		}
		return nil
	})
	if err != nil {
		return all, &OpError{Op: "connections of " + key.String(), Err: err}
	}
	return all, nil
}

// read asks for the services, then for the destinations of each: the kernel lists those of one service at a time, and
// takes no second such request before it has answered the first.
func (g *genl) read(table Table) error {
	err := g.ask(g.family, cmdGetService, unix.NLM_F_DUMP, nil, func(a attrs) error {
		service, err := parseService(a[cmdAttrService])
		if !service.isPrivate() {
			table[service.Key] = service
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("services: %w", err)
	}
	for key, service := range table {
		service.Dests, service.Counters = make(map[netip.AddrPort]Dest), make(map[netip.AddrPort]Counters)
		if err := g.dests(key, func(d Dest, n Counters) { service.Dests[d.Addr], service.Counters[d.Addr] = d, n }); err != nil {
			return fmt.Errorf("destinations of %s: %w", key, err)
		}
		table[key] = service
	}
	return nil
}

// dests calls f for each destination of a service; never when it is not there.
func (g *genl) dests(key Key, f func(Dest, Counters)) error {
	if g.seq%Batch == 0 { // one of many
		g.wait()
	}
	return g.ask(g.family, cmdGetDest, unix.NLM_F_DUMP, appendKey(nil, key), func(a attrs) error {
		dest, counters, err := parseDest(a[cmdAttrDest], key.IPv6)
		if err == nil {
			f(dest, counters)
		}
		return err
	})
}
