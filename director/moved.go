package director

import (
	"maps"
	"net/netip"
	"slices"
	"strconv"

	"ldirectord/checker"
	"ldirectord/checker/health"
	"ldirectord/ipvsctl"
	"ldirectord/parser"
)

// This file is about servers whose host name has another address now. The new address is a new server. The old one
// stays in service, and is checked, until the new one is up, or until it fails itself.

// earlier makes the servers that those of a virtual service may have moved from. What is at an address of the file has
// not moved away.
func (b *planBuilder) earlier(v *virtual) {
	made := map[netip.AddrPort]bool{}
	for _, s := range v.servers {
		if s.real.Named == nil {
			continue
		}
		for i := range s.real.Named.Earlier {
			e := newServer(v.cfg, &s.real.Named.Earlier[i])
			if made[e.dest.Addr] || len(v.at(e.dest.Addr)) > 0 {
				continue
			}
			b.check(v, e)
			e.moved, made[e.dest.Addr] = s, true
			v.earlier = append(v.earlier, e)
		}
	}
}

// staying makes the servers that stay though they have left the file.
func (b *planBuilder) staying(v *virtual) {
	var all []*server
	for i := range v.cfg.Staying {
		if s := newServer(v.cfg, &v.cfg.Staying[i]); len(v.at(s.dest.Addr)) == 0 {
			b.check(v, s)
			s.stays = true
			all = append(all, s)
		}
	}
	v.servers, v.byAddr = append(v.servers, all...), nil
}

// check makes the checks of a server beside those of the file, which have the same mistakes.
func (b *planBuilder) check(v *virtual, s *server) {
	for number := range v.cfg.Checks() {
		_, _ = b.judgement(v, s, number)
	}
}

// addEarlier adds to the servers of the file those that moved away and serve.
func (v *virtual) addEarlier(serves func(*server) bool) {
	v.servers = append(v.servers, slices.DeleteFunc(v.earlier, func(s *server) bool { return !serves(s) })...)
	v.earlier, v.byAddr = nil, nil
}

// servesFrom reports whether a server that moved away is in service, as the virtual service was before a reload; nil:
// it is new.
func (v *virtual) servesFrom(s *server) bool {
	if v == nil {
		return false
	}
	old := v.serverAt(s.dest.Addr)
	_, in := v.weightAt(s.dest.Addr)
	return old != nil && old.works() && (in || old.verdict() == health.Up)
}

// mayServeFrom reports whether a server that moved away was in service when the daemon before ended, as the table was
// found, or in maintenance.
func (d *Director) mayServeFrom(s *server, found ipvsctl.Service) bool {
	_, serves := found.Dests[s.dest.Addr]
	for _, l := range d.deps.Leavers {
		if l.Key == found.Key && l.Addr == s.dest.Addr {
			serves = l.Stays
		}
	}
	return serves
}

// works reports whether a server has not failed. One in maintenance has not: it serves on when that ends.
func (s *server) works() bool {
	return s.first.task != nil && (s.held || s.verdict() != health.Down)
}

// isDone reports whether a server that moved away has failed, or is not needed any more: the new one is up. In
// maintenance it is not when the new one, in maintenance as well, passes its checks.
func (s *server) isDone() bool {
	return s.moved != nil &&
		(!s.works() || s.moved.state() == health.Up || s.suspended() != "" && s.moved.verdict() == health.Up)
}

// endMoved ends what moved away and is done. With a draintime it drains.
func (d *Director) endMoved() {
	ended, moved := false, false
	for _, v := range d.virtuals {
		before := v.servers
		if n := len(before); n == 0 || before[n-1].moved == nil {
			continue
		}
		if moved = true; !slices.ContainsFunc(before, (*server).isDone) {
			continue
		}
		v.servers, v.byAddr = slices.DeleteFunc(slices.Clone(before), (*server).isDone), nil
		ended, v.dirty = true, true
		if v.isOurs() {
			v.sendOffAll(before)
		}
	}
	if moved {
		d.recordLeavers()
	}
	if !ended {
		return
	}
	for _, c := range d.checks {
		c.users = slices.DeleteFunc(c.users, func(x user) bool { return x.s.isDone() })
	}
	d.runChecks(d.tasks)
}

// runChecks makes those of the checks that somebody uses, and that have a way.
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
	d.tasks, d.held = tasks, false
	for _, c := range d.checks {
		c.begun = c.begun || !slices.ContainsFunc(c.users, user.awaitsRoute)
		d.held = d.held || !c.begun
	}
	if d.held {
		tasks = slices.DeleteFunc(slices.Clone(tasks), func(t *checker.Task) bool { return !d.checks[t].begun })
	}
	d.pool.Set(tasks)
	if len(d.tracer.list) > 0 {
		d.tracer.listen(d.virtuals, d.checks)
	}
}

// names are how a server is called, as the file does and with the configured port, and the other name by which orders
// may mean it: its address or its host; "" for none.
func (s *server) names() (name, other string) {
	addr, named := s.real.Addr.String(), s.named()
	if named == nil {
		return addr, ""
	}
	host := named.Host + ":" + strconv.Itoa(int(s.real.Addr.Port()))
	if s.followed() {
		return host, addr
	}
	return addr, host
}

// named is the host name that leads to a server, or did until the server moved; nil where the file has an address.
func (s *server) named() *parser.Named {
	if s.moved != nil {
		return s.moved.real.Named
	}
	return s.real.Named
}

// host is the host name by which the file calls a server that may move, or has moved; "" for others.
func (s *server) host() string {
	if named := s.named(); named != nil && named.Followed {
		return named.Host
	}
	return ""
}
