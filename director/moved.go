package director

import (
	"cmp"
	"maps"
	"net/netip"
	"slices"
	"strconv"

	"ldirectord/checker"
	"ldirectord/ipvsctl"
	"ldirectord/parser"
)

// This file is about servers whose host name has another address now. The new address is a new server. The old one stays
// in service, and is checked, until the new one is up, or until it fails itself.

// earlier makes the servers that those of a virtual service may have moved from. What is at an address of the file has
// not moved away.
func (b *planBuilder) earlier(v *virtual) {
	for _, s := range v.servers {
		if s.real.Named == nil {
			continue
		}
		for i := range s.real.Named.Earlier {
			e := newServer(v.cfg, &s.real.Named.Earlier[i])
			if v.serverAt(e.dest.Addr) != nil || slices.ContainsFunc(v.earlier, func(o *server) bool { return o.dest.Addr == e.dest.Addr }) {
				continue
			}
			for number := range v.cfg.Checks() {
				_, _ = b.judgement(v, e, number) // an error is the new server's as well
			}
			e.moved = s
			v.earlier = append(v.earlier, e)
		}
	}
}

// addEarlier adds the servers that may have moved to those of the file; keepEarlier keeps some of them.
func (v *virtual) addEarlier() {
	v.servers, v.earlier = append(v.servers, v.earlier...), nil
}

func (v *virtual) keepEarlier(stays func(*server) bool) {
	v.servers = slices.DeleteFunc(v.servers, func(s *server) bool { return s.moved != nil && !stays(s) })
}

// servesFrom reports whether a server that moved away is in service, as the virtual service was before a reload.
func (v *virtual) servesFrom(s *server) bool {
	_, in := v.weightAt(s.dest.Addr)
	return v.serverAt(s.dest.Addr) != nil && (s.verdict() == checker.Up || in && s.verdict() == checker.Unknown)
}

// mayServeFrom reports whether a server that moved away was in service when the daemon before ended, as the table was found.
func (d *Director) mayServeFrom(s *server, found ipvsctl.Service) bool {
	_, in := found.Dests[s.dest.Addr]
	return in && !slices.ContainsFunc(d.deps.Leavers, func(l Leaver) bool { return l.Key == found.Key && l.Addr == s.dest.Addr })
}

// staysOn reports whether a server that moved away serves on: the new one is not up, and it has not failed itself.
func (s *server) staysOn() bool {
	state := s.state()
	return (state == checker.Up || state == checker.Unknown) && s.moved.state() != checker.Up
}

// endMoved ends what moved away and is not needed any more. With a draintime it drains.
func (d *Director) endMoved() {
	gone := map[*server]bool{}
	for _, v := range d.virtuals {
		if n := len(v.servers); n == 0 || v.servers[n-1].moved == nil {
			continue
		}
		var goes []*server
		v.keepEarlier(func(s *server) bool {
			if !s.staysOn() {
				goes = append(goes, s)
			}
			return s.staysOn()
		})
		for _, s := range goes {
			gone[s], v.dirty = true, true
			if _, in := v.weightAt(s.dest.Addr); (in || v.written == nil) && !d.standby {
				v.sendOff(leaver{Leaver: Leaver{Key: v.key, Addr: s.dest.Addr, Name: s.name()}})
			}
		}
	}
	if len(gone) == 0 {
		return
	}
	for _, c := range d.checks {
		c.users = slices.DeleteFunc(c.users, func(x backendRef) bool { return gone[x.s] })
	}
	d.recordLeavers()
	d.runChecks(d.tasks)
}

// runChecks makes those of the checks that somebody uses.
func (d *Director) runChecks(tasks []*checker.Task) {
	maps.DeleteFunc(d.checks, func(_ *checker.Task, c *check) bool {
		if len(c.users) == 0 && !c.reported {
			d.waiting--
		}
		return len(c.users) == 0
	})
	if len(d.checks) < len(tasks) {
		tasks = slices.DeleteFunc(slices.Clone(tasks), func(t *checker.Task) bool { return d.checks[t] == nil })
	}
	d.tasks = tasks
	d.pool.Set(tasks)
}

// orderAmong is the order for a server, by either of its names: it may have been given while resolve was not in the file,
// or before the server moved.
func (s *server) orderAmong(v *virtual, orders Orders) Order {
	return cmp.Or(orders[Backend{v.cfg.ID, s.name()}], orders[Backend{v.cfg.ID, s.alias()}])
}

// alias is the name besides its own by which orders may mean a server: its address or its host; "" for none.
func (s *server) alias() string {
	switch named := s.named(); {
	case named == nil:
		return ""
	case s.followed():
		return s.real.Addr.String()
	default:
		return s.hostPort()
	}
}

// named is the host name that leads to a server, or did until the server moved; nil where the file has an address.
func (s *server) named() *parser.Named {
	if s.moved != nil {
		return s.moved.real.Named
	}
	return s.real.Named
}

func (s *server) hostPort() string {
	return s.named().Host + ":" + strconv.Itoa(int(s.real.Addr.Port()))
}

// host is the host name by which the file calls a server that may move, or has moved; "" for others.
func (s *server) host() string {
	if named := s.named(); named != nil && named.Followed {
		return named.Host
	}
	return ""
}

// address is that of a server which is called by its host name; not valid for others.
func (s *server) address() (none netip.AddrPort) {
	if !s.followed() {
		return none
	}
	return s.real.Addr
}
