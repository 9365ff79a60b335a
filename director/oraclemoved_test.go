package director

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"time"

	"ldirectord/ipvsctl"
	"ldirectord/lvs"
	"ldirectord/parser"
)

// hosts are the names of the file, and homes the addresses that each of them may have. No other server has those.
var (
	hosts = []string{"web1", "web2"}
	homes = map[string][]netip.AddrPort{"web1": addresses("10.2.0.1", 3), "web2": addresses("10.2.0.2", 3)}
)

// names answers for the name servers, and remembers for the next daemon.
type names struct {
	at   map[string]netip.AddrPort
	past map[string][]netip.Addr
}

func newNames() names {
	return names{at: map[string]netip.AddrPort{"web1": homes["web1"][0], "web2": homes["web2"][0]}, past: map[string][]netip.Addr{}}
}

// Host and Port implement parser.Resolver.
func (n names) Host(_ context.Context, name string, _ bool) ([]netip.Addr, error) {
	return []netip.Addr{n.at[name].Addr()}, nil
}

func (n names) Port(context.Context, string, string) (uint16, error) {
	return 0, errors.New("no such service")
}

func (n names) last(host string, _ bool) []netip.Addr { return n.past[host] }

func (n names) remember(all []parser.Name) {
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
	p := c.plan(next)
	c.oracle.offer(next)
	before, began := c.read(), time.Now()
	if err := c.director.Refine(c.t.Context(), p); err != nil {
		c.t.Error(err)
	}
	c.oracle.leave(next, before, began)
	c.oracle.move(next, host)
}

// moved is the file with another address of a name.
func (f file) moved(host string, to netip.AddrPort) file {
	next := file{}
	for addr, s := range f {
		s.servers = slices.Clone(s.servers)
		for i := range s.servers {
			if s.servers[i].name == host {
				s.servers[i].addr = to
			}
		}
		next[addr] = s
	}
	return next
}

// places are the servers, and the other addresses that their names may have had.
func (s section) places() []entry {
	list := slices.Clone(s.servers)
	for _, e := range s.servers {
		for _, a := range homes[e.name] {
			if a != e.addr {
				list = append(list, entry{a, e.weight, e.masq, e.name, true})
			}
		}
	}
	return list
}

// movedOracle is what the oracle knows of names that move. Whether who moved away serves on depends on when it was up,
// and the new one was not. The oracle says only who may not: who fails, and anybody while the new one is up.
type movedOracle struct {
	moved    map[string]bool // names, since this daemon started: it may have asked their addresses before
	servesOn map[spot]bool   // found at rest
}

func newMovedOracle() movedOracle {
	return movedOracle{moved: map[string]bool{}, servesOn: map[spot]bool{}}
}

// move makes this the only file. Other than by a reload, what was done by hand stays.
func (o *oracle) move(f file, host string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.troubled = time.Now()
	o.files = []file{f}
	o.moved[host] = true
}

// findMoved finds those that moved away and serve on, and may.
func (o *oracle) findMoved(have ipvsctl.Table) {
	clear(o.servesOn)
	for addr, s := range o.files[0] {
		for _, e := range s.places() {
			at := spot{keyFor(addr), e.addr}
			if !e.elsewhere || s.check == "off" {
				continue
			}
			d, in := have[at.key].Dests[e.addr] // one at weight 0 that is neither drained nor in maintenance left already
			may := in && (d.Weight > 0 || o.orderFor(at.key, e, 0).Kind == Drain)
			if o.isMaintained(at.key, e) {
				may = in && s.quiescent
			}
			may = may && !o.putIn[at] && !o.isInPlace(at.key, s, e)
			o.servesOn[at] = may && (o.passesAll(s, e) || o.held[at] || o.heldAndDrained[at])
			delete(o.held, at)
			delete(o.heldAndDrained, at)
		}
	}
}

// isInPlace reports whether the server at the new address of a name is up, or held, or as the old one in maintenance and
// well.
func (o *oracle) isInPlace(key lvs.Key, s section, old entry) bool {
	return slices.ContainsFunc(s.servers, func(e entry) bool {
		out := o.isMaintained(key, e) && !o.isMaintained(key, old)
		return e.name == old.name && !out && (o.passesAll(s, e) || o.held[spot{key, e.addr}])
	})
}

// withoutMoved is a table without those that moved away and drain. When they began to is not known.
func (o *oracle) withoutMoved(table ipvsctl.Table) {
	for addr, s := range o.files[0] {
		for _, host := range hosts {
			for _, a := range homes[host] {
				_, configured := s.entry(a)
				at := spot{keyFor(addr), a}
				d, in := table[at.key].Dests[a]
				if in && !configured && !o.servesOn[at] && d.Weight == 0 && o.busy[a] && time.Duration(s.drain)*time.Second > quietTime {
					delete(table[at.key].Dests, a)
				}
			}
		}
	}
}

// isHome reports whether an address is that of a name.
func isHome(a netip.AddrPort) bool {
	return slices.ContainsFunc(hosts, func(h string) bool { return slices.Contains(homes[h], a) })
}
