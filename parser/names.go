package parser

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"ldirectord/internal/lvs"
	"ldirectord/internal/resolve"
)

// This file replaces names with addresses, expands ranges of addresses, and reports names without an address.

// lookup looks up names of one address family, and reports findings about them.
type lookup struct {
	*resolver
	finder
	ipv6 bool
}

// namesOf returns a lookup for the names in a line of a section.
func (r *resolver) namesOf(s *section, l line, p phase) lookup {
	return lookup{r, r.in(s, p).of(l), s.IPv6}
}

// host returns the address of a host. If there is none, or servers can't have it, host adds an error. If only the last
// known address is available, host warns once for each name.
func (u lookup) host(kind string, l line, text string) (netip.Addr, bool) {
	var p *Diagnostic
	host := u.readHost(text)
	what := resolve.NoHost(host.Value)
	switch {
	case host.Reason != "" && host.Failure != "":
		p = refuse(kind, "the name %q has no address: %s", text, host.Reason)
		if p.lookup = true; kind == realHost && !u.opts.Wait {
			p.Text += "; start and reload accept the file, and the servers with this name wait for an " +
				"address"
		}
	case host.Reason != "":
		p = refuse(kind, "the address %q cannot be used: %s", text, host.Reason)
	case what != "" && kind != badVirtualAddress:
		p = refuse(kind, "the address %q cannot be that of a server: it is %s", text, what)
	case host.Failure != "":
		u.warnOf(l, text, "can't be looked up; its last address "+host.Value.String()+" stays in use",
			host.Failure)
	}
	if p != nil {
		p.part = text
		u.about(l, *p)
	}
	return host.Value, p == nil
}

// warnOf warns of a failed look-up, but only once for each name.
func (u lookup) warnOf(l line, name, follows, why string) {
	if key := (resolve.Key{Host: name, IPv6: u.ipv6}); !u.warned[key] {
		u.warned[key] = true
		u.warn(nameInVain, l.around(name), "the name %q %s: %s", name, follows, why)
	}
}

// isName reports whether a host is a name that was looked up.
func (u lookup) isName(host string) bool { return u.names.Name(host, u.ipv6) != nil }

// hasNumber reports whether the number of a port is known. If not, it adds an error.
func (f finder) hasNumber(kind string, l line, text string, port resolve.PortLookup) bool {
	if port.Reason != "" {
		f.error(kind, l.around(text), "the port %q cannot be used: %s", text, port.Reason)
	}
	return port.Reason == ""
}

// address returns the address and port in a section's header, or an invalid address if there is none.
func (r *resolver) address(s *section, protocol lvs.Protocol) (none netip.AddrPort) {
	if s.host == "" {
		return none
	}
	u, port := r.namesOf(s, s.line, headerNames), r.readPort(s.port, protocol.String())
	addr, ok := u.host(badVirtualAddress, s.line, s.host)
	r.names.Use(resolve.OfVirtual, s.IPv6, s.host)
	if !ok || !u.hasNumber(badVirtualAddress, s.line, s.port, port) {
		return none
	}
	return netip.AddrPortFrom(addr, port.Value)
}

// effectiveProtocol returns the protocol of a section. The default is udp for the port of dns, and tcp for other ports.
func (s *section) effectiveProtocol() lvs.Protocol {
	switch {
	case s.Mark > 0 || s.v.Protocol != lvs.Mark:
		return s.v.Protocol
	case trimZeros(s.port) == "53" || s.port == "domain":
		return lvs.UDP
	default:
		return lvs.TCP
	}
}

// fallbackOf returns a fallback server of a section, or nil if it has no address. A server without a port gets the
// section's port. A mark has no protocol, so a service name under a mark means the first entry of that name for any
// protocol.
func (r *resolver) fallbackOf(s *section, f *realLine, v *Virtual) *Real {
	protocol := v.Protocol.String()
	if s.Mark > 0 {
		protocol = ""
	}
	port := r.readPort(f.port, protocol)
	if f.port == "" {
		port.Value = v.Addr.Port()
	}
	return r.namesOf(s, f.line, fallbackNames).fallback(f, port)
}

// globalFallback returns the global fallback server of a family. A service name that is known for only one protocol
// means the same port for the other.
func (r *resolver) globalFallback(f *realLine, ipv6 bool) *GlobalFallback {
	if f == nil {
		return nil
	}
	tcp, udp := r.readPort(f.port, "tcp"), r.readPort(f.port, "udp")
	if tcp.Reason != "" && udp.Reason == "" {
		tcp = udp
	}
	server := lookup{r, r.on(f.line.number), ipv6}.fallback(f, tcp)
	if server == nil {
		return nil
	}
	g := &GlobalFallback{TCP: *server, UDP: *server, HasPort: f.port != ""}
	if udp.Reason == "" {
		g.UDP.Addr = netip.AddrPortFrom(server.Addr.Addr(), udp.Value)
	}
	return g
}

// fallback returns a fallback server with its address, or nil if it has none.
func (u lookup) fallback(f *realLine, port resolve.PortLookup) *Real {
	addr, ok := u.host(fallbackHost, f.line, f.hosts[0])
	if !u.hasNumber(fallbackPort, f.line, f.port, port) || !ok {
		return nil
	}
	server := f.Real
	server.Addr = netip.AddrPortFrom(addr, port.Value)
	return &server
}

// servers adds the real server of a line, or the servers of a range, to v.
func (r *resolver) servers(s *section, line *realLine, v *Virtual) {
	u := r.namesOf(s, line.line, realNames)
	line.Addr = netip.AddrPortFrom(netip.Addr{}, r.readPort(line.port, "").Value)
	line.isOpen = line.isRange() && !line.isFixed()
	if r.opts.Wait && line.problem == nil {
		if waiting, ok := u.waiting(line); ok {
			v.Waiting = append(v.Waiting, waiting)
			return
		}
	}
	first, last, number, ok := u.endpoints(line)
	used := resolve.OfReal
	if line.isRange() {
		used = resolve.OfRange
	}
	r.names.Use(used, s.IPv6, line.hosts...)
	if line.problem != nil {
		u.about(line.line, *line.problem)
		return
	}
	if !ok {
		return
	}
	if line.isOpen = line.isOpen && r.opts.Alone; line.isOpen {
		last = first
	}
	count := rangeSize(first, last)
	if count == 0 {
		u.error(badRealRange, line.At,
			"the range from %s to %s is not allowed; it must go upwards and have at most %d addresses",
			first, last, maxRange)
		return
	}
	if r.reals += count; r.reals > maxReals {
		if r.reals-count <= maxReals {
			u.error(tooLarge, line.At, "the file has more than %d real servers", maxReals)
		}
		return
	}
	server := line.Real
	server.Named = u.named(line, server, number)
	for addr := first; count > 0; addr, count = addr.Next(), count-1 {
		server.Addr = netip.AddrPortFrom(addr, number)
		v.Reals = append(v.Reals, server)
	}
}

// named returns the host name and the earlier addresses of a line's server. It returns nil for a range, and for a
// server without a host name.
func (u lookup) named(line *realLine, server Real, port uint16) *Named {
	name := u.names.Name(line.hosts[0], u.ipv6)
	if line.isRange() || name == nil {
		return nil
	}
	n := &Named{Host: name.Host, Followed: name.Followed}
	for _, a := range name.Earlier {
		server.Addr, server.Named = netip.AddrPortFrom(a, port), n
		n.Earlier = append(n.Earlier, server)
	}
	return n
}

// keepLeaving keeps the servers of the previous configuration if a new name has no address, or a new list is missing.
// They stay until all names of the section have an address and no list is missing, or until the next reload.
// Virtual.Staying may also contain servers that are in this configuration.
func (c *Config) keepLeaving(before map[string]*Virtual, refines bool) {
	for _, v := range c.Virtuals {
		was, awaited := before[v.ID], v.awaited()
		if was == nil || len(awaited) == 0 {
			continue
		}
		known := was.awaited()
		for _, r := range was.Reals {
			if r.Named != nil {
				known = append(known, r.Named.Host)
			}
		}
		isNew := func(name string) bool { return !slices.Contains(known, name) }
		if refines {
			v.Staying = was.Staying
		}
		// with refines, only a list can bring a new name
		if slices.ContainsFunc(awaited, isNew) {
			v.Staying = eachOnce(slices.Concat(was.Reals, v.Staying))
		}
	}
}

// byID returns the virtual services by their ID, or nil if there is no configuration.
func (c *Config) byID() map[string]*Virtual {
	if c == nil {
		return nil
	}
	all := make(map[string]*Virtual, len(c.Virtuals))
	for _, v := range c.Virtuals {
		all[v.ID] = v
	}
	return all
}

// awaited returns the host names without an address and the missing lists. No list has the name of a host.
func (v *Virtual) awaited() []string {
	return append(each(v.Waiting, func(w Waiting) string { return w.Host }), v.missing...)
}

// eachOnce keeps only the first server with each address and port.
func eachOnce(servers []Real) []Real {
	seen := map[netip.AddrPort]bool{}
	return slices.DeleteFunc(servers, func(r Real) bool {
		was := seen[r.Addr]
		seen[r.Addr] = true
		return was
	})
}

// waiting describes a line of real servers that waits for an address. ok is false if no look-up failed, or if the line
// has another mistake.
func (u lookup) waiting(line *realLine) (w Waiting, ok bool) {
	port := u.readPort(line.port, "")
	if port.Reason != "" {
		return w, false
	}
	w = Waiting{Name: fmt.Sprint(line.hosts[0], ":", port.Value), IsRange: line.isRange(),
		Weight: line.Weight, Backup: line.Backup, Tags: line.Tags}
	if w.IsRange {
		w.Name = strings.TrimSuffix(strings.Join(line.hosts, "->")+":"+line.port, ":")
	}
	for _, text := range line.hosts {
		host := u.readHost(text)
		switch {
		case host.Reason == "":
			continue
		case host.Failure == "":
			return w, false
		case w.Host == "":
			w.Host, w.Why = text, host.Reason
		}
		u.warnOf(line.line, text, "has no address; its servers wait for one", host.Reason)
	}
	return w, w.Host != ""
}

// endpoints returns the addresses and the port of a line of real servers.
func (u lookup) endpoints(line *realLine) (first, last netip.Addr, number uint16, ok bool) {
	port := u.readPort(line.port, "")
	for i, host := range line.hosts {
		addr, hasAddr := u.host(realHost, line.line, host)
		if last = addr; i == 0 {
			first, ok = addr, u.hasNumber(realPort, line.line, line.port, port)
		}
		ok = ok && hasAddr
	}
	return first, last, port.Value, ok
}
