package director

import (
	"net/netip"
	"slices"
	"strconv"
)

// This file handles servers whose host name has a new address. The new address is a new server. The old server stays in
// service and is checked until the new one is up, or until it fails itself.

// earlier makes servers for the former addresses of a virtual service's names. A server at an address of the file has
// not moved away.
func (b *planBuilder) earlier(v *virtual) {
	made := map[netip.AddrPort]bool{}
	for _, s := range v.servers {
		if s.real.Named == nil {
			continue
		}
		for i := range s.real.Named.Earlier {
			e := newServer(v.cfg, &s.real.Named.Earlier[i])
			if made[e.Dest.Addr] || v.At(e.Dest.Addr) != nil {
				continue
			}
			b.check(v, e)
			e.MovedTo, made[e.Dest.Addr] = s.At, true
			v.earlier = append(v.earlier, e)
		}
	}
}

// staying makes the servers that stay although they have left the file.
func (b *planBuilder) staying(v *virtual) {
	var all []*server
	for i := range v.cfg.Staying {
		if s := newServer(v.cfg, &v.cfg.Staying[i]); v.At(s.Dest.Addr) == nil {
			b.check(v, s)
			s.stays = true
			all = append(all, s)
		}
	}
	if len(all) > 0 {
		v.servers = append(v.servers, all...)
		v.enlist()
	}
}

// check makes the checks of a server that is not in the file. Their mistakes were reported for the server in the file.
func (b *planBuilder) check(v *virtual, s *server) {
	for number := range v.cfg.Checks() {
		_, _ = b.judgement(v, s, number)
	}
}

// addEarlier adds to the servers of the file those that moved away and serve.
func (v *virtual) addEarlier(serves func(*server) bool) {
	if added := slices.DeleteFunc(v.earlier, func(s *server) bool { return !serves(s) }); len(added) > 0 {
		v.servers = append(v.servers, added...)
		v.enlist()
	}
	v.earlier = nil
}

// endMoved ends the checks of servers that moved away and are no longer needed. It reports whether there was one: with
// draintime it drains, which must be passed on before the table changes.
func (e *examiner) endMoved() (moved bool) {
	ended, gone := false, func(s *server) bool { return s.Gone }
	for _, v := range e.virtuals {
		before := v.servers
		if n := len(before); n == 0 || before[n-1].MovedTo < 0 {
			continue
		}
		if moved = true; slices.ContainsFunc(before, gone) {
			ended, v.servers = true, slices.DeleteFunc(slices.Clone(before), gone)
			v.touch()
			v.depart(before)
		}
	}
	if !ended {
		return moved
	}
	for _, c := range e.checks {
		c.users = slices.DeleteFunc(c.users, func(x user) bool { return x.s.Gone })
	}
	e.run(nil)
	return moved
}

// names returns the names of a server: as in the file, with the configured port, and the other name that orders may
// use, its address or its host; "" for none.
func (s *server) names() (name, other string) {
	addr, named := s.real.Addr.String(), s.real.Named
	if named == nil {
		return addr, ""
	}
	host := named.Host + ":" + strconv.Itoa(int(s.real.Addr.Port()))
	if s.followed() {
		return host, addr
	}
	return addr, host
}

// host is the host name in the file of a server that may move, or has moved; "" for others.
func (s *server) host() string {
	if named := s.real.Named; named != nil && named.Followed {
		return named.Host
	}
	return ""
}
