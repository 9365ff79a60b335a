package core

import (
	"context"
	"net/netip"
	"slices"

	known "ldirectord/internal/resolve"
)

// hosts are the names in the file. Homes has the addresses that each name may have; no other server has them.
var (
	hosts = []string{"web1", "web2"}
	homes = map[string][]netip.AddrPort{"web1": addresses("10.2.0.1", 3), "web2": addresses("10.2.0.2", 3)}
)

// names answers as the name servers, and keeps earlier addresses for the next daemon.
type names struct {
	unnamed
	at   map[string]netip.AddrPort
	past map[string][]netip.Addr
}

func newNames() names {
	return names{at: map[string]netip.AddrPort{"web1": homes["web1"][0], "web2": homes["web2"][0]},
		past: map[string][]netip.Addr{}}
}

func (n names) Host(_ context.Context, name string, _ bool) ([]netip.Addr, error) {
	return []netip.Addr{n.at[name].Addr()}, nil
}

func (n names) last(key known.Key) []netip.Addr { return n.past[key.Host] }

func (n names) remember(all []known.Name) {
	for _, name := range all {
		n.past[name.Host] = append([]netip.Addr{name.Addr}, name.Earlier...)
	}
}

// move gives a name another address.
func (c *chaos) move() {
	host := hosts[c.rand.IntN(len(hosts))]
	to := homes[host][c.rand.IntN(len(homes[host]))]
	if to == c.names.at[host] {
		return
	}
	c.say("%s moves to %s", host, to)
	c.names.at[host] = to
	next := c.oracle.file().moved(host, to)
	c.load(next, true)
	c.oracle.move(next, host)
}

// moved is the file with another address of a name.
func (f file) moved(host string, to netip.AddrPort) file {
	next := file{}
	for addr, s := range f {
		s.Servers = slices.Clone(s.Servers)
		for i := range s.Servers {
			if s.Servers[i].name == host {
				s.Servers[i].addr = to
			}
		}
		next[addr] = s
	}
	return next
}

// places are the servers, and the other addresses that their names may have had.
func (s section) places() []entry {
	list := slices.Clone(s.Servers)
	for _, e := range s.Servers {
		for _, a := range homes[e.name] {
			if a != e.addr {
				list = append(list, entry{a, e.weight, e.masq, e.name, true, e.backup})
			}
		}
	}
	return list
}

// isHome reports whether an address may be that of a name.
func isHome(a netip.AddrPort) bool {
	return slices.ContainsFunc(hosts, func(h string) bool { return slices.Contains(homes[h], a) })
}
