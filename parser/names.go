package parser

import (
	"fmt"
	"net/netip"
)

// This file replaces names by addresses, and reports those without one.

// collectNames notes every host and service name, now that each section's protocol is known.
func (r *reader) collectNames() {
	n := &r.names
	for _, f := range []*fallbackLine{r.globals.fallback, r.globals.fallback6} {
		if f == nil {
			continue
		}
		f.addr = n.host(f.host, f == r.globals.fallback6)
		if f.hasPort {
			f.tcp, f.udp = n.port(f.port, "tcp"), n.port(f.port, "udp")
		}
	}
	for _, s := range r.sections {
		s.collectNames(n)
	}
}

func (s *section) collectNames(n *names) {
	s.v.Protocol = s.effectiveProtocol()
	protocol := string(s.v.Protocol)
	if s.isMark {
		protocol = "" // a mark has none; a service name then means its first entry
	}
	if f := s.fallback; f != nil {
		f.addr = n.host(f.host, s.ipv6)
		if f.hasPort {
			f.tcp = n.port(f.port, protocol)
		}
	}
	if !s.broken && !s.isMark {
		s.addr, s.addrPort = n.host(s.host, s.ipv6), n.port(s.port, protocol)
	}
	for i := range s.reals {
		s.reals[i].collectNames(n, s.ipv6)
	}
	for i := range s.marks {
		s.marks[i].collectNames(n)
	}
}

// effectiveProtocol is udp by default where the port is that of dns.
func (s *section) effectiveProtocol() Protocol {
	switch {
	case s.isMark:
		return FWM
	case s.v.Protocol != "":
		return s.v.Protocol
	case trimZeros(s.port) == "53" || s.port == "domain":
		return UDP
	default:
		return TCP
	}
}

func (r *realLine) collectNames(n *names, ipv6 bool) {
	if r.first == "" {
		return // it was no server
	}
	r.firstAddr = n.host(r.first, ipv6)
	if r.last != "" {
		r.lastAddr = n.host(r.last, ipv6)
	}
	if r.port != "" {
		r.portNumber = n.port(r.port, "")
	}
}

// unresolved reports a port without a number.
func (r *reader) unresolved(at order, kind string, l line, text, reason string) {
	p := refuse(kind, "the port %s cannot be used: %s", quote(text), reason)
	r.problem(at, l, p.around(text))
}

// hostAddress is the address of a host as written, if it has one. It warns, once for each name, when that is the last
// address that was known.
func (r *reader) hostAddress(at order, kind string, l line, text string, a address) (netip.Addr, bool) {
	addr, reason := a.get()
	why := a.failure()
	switch {
	case reason != "":
		p := refuse(kind, "the address %s cannot be used: %s", quote(text), reason).around(text)
		p.lookup = why != ""
		r.problem(at, l, p)
		return addr, false
	case why != "" && !a.lookup.reported:
		a.lookup.reported = true
		r.warn(at, nameInVain, l.around(text), fmt.Sprintf("the name %s cannot be looked up, its last address %s is used: %s", quote(text), addr, why))
	}
	return addr, true
}

// address of a section's header. It is not valid when there is none.
func (r *reader) address(s *section) netip.AddrPort {
	if s.broken || s.isMark {
		return netip.AddrPort{}
	}
	at := s.order(headerNames)
	addr, ok := r.hostAddress(at, badVirtualAddress, s.line, s.host, s.addr)
	if !ok {
		s.broken = true
		return netip.AddrPort{}
	}
	number, reason := s.addrPort.get()
	if reason != "" {
		s.broken = true
		r.unresolved(at, badVirtualAddress, s.line, s.port, reason)
		return netip.AddrPort{}
	}
	return netip.AddrPortFrom(addr, number)
}

// ownFallback is the fallback server of a section, nil when it has none. Without a port it has the
// section's.
func (r *reader) ownFallback(s *section, v *Virtual) *Fallback {
	f := s.fallback
	if f == nil {
		return nil
	}
	at := s.order(fallbackNames)
	addr, ok := r.hostAddress(at, fallbackHost, f.line, f.host, f.addr)
	if !ok {
		return nil
	}
	number := v.Addr.Port()
	if f.hasPort {
		var reason string
		if number, reason = f.tcp.get(); reason != "" {
			r.unresolved(at, fallbackPort, f.line, f.port, reason)
			return nil
		}
	}
	return &Fallback{Addr: netip.AddrPortFrom(addr, number), Forward: f.forward, Weight: 1, At: f.line.position()}
}

// globalFallback is the fallback server for all sections of a family. A service name that is known for
// one protocol only means the same port for the other.
func (r *reader) globalFallback(f *fallbackLine) *GlobalFallback {
	if f == nil {
		return nil
	}
	at := order{block: f.line.number}
	addr, ok := r.hostAddress(at, fallbackHost, f.line, f.host, f.addr)
	if !ok {
		return nil
	}
	tcp, noTCP := f.tcp.get()
	udp, noUDP := f.udp.get()
	switch {
	case noTCP != "" && noUDP != "":
		r.unresolved(at, fallbackPort, f.line, f.port, noTCP)
		return nil
	case noTCP != "":
		tcp = udp
	case noUDP != "":
		udp = tcp
	}
	g := &GlobalFallback{HasPort: f.hasPort}
	g.TCP = Fallback{Addr: netip.AddrPortFrom(addr, tcp), Forward: f.forward, Weight: 1, At: f.line.position()}
	g.UDP = g.TCP
	g.UDP.Addr = netip.AddrPortFrom(addr, udp)
	return g
}

// servers makes the real servers of a line: one, or those of a range.
func (r *reader) servers(s *section, line *realLine, v *Virtual) {
	at := s.order(realNames)
	if r.opts.Wait && line.problem == nil {
		if waiting, ok := r.waiting(at, line); ok {
			v.Waiting = append(v.Waiting, waiting)
			return
		}
	}
	first, last, number, ok := r.endpoints(at, line)
	if line.problem != nil {
		r.problem(at, line.line, line.problem)
		return
	}
	if !ok {
		return
	}
	count := rangeSize(first, last)
	if count == 0 {
		p := refuse(badRealRange, "the range from %s to %s is not allowed; it goes upwards and has at most %d addresses", first, last, maxRange)
		r.problem(at, line.line, p)
		return
	}
	if r.reals += count; r.reals > maxReals {
		if r.reals-count <= maxReals {
			r.error(at, tooLarge, line.line.position(), fmt.Sprintf("the file has more than %d real servers", maxReals))
		}
		return
	}
	server := line.server
	server.At = line.line.position()
	for addr := first; count > 0; addr, count = addr.Next(), count-1 {
		server.Addr = netip.AddrPortFrom(addr, number)
		v.Reals = append(v.Reals, server)
	}
}

// waiting is a line whose only trouble is a look-up that failed. It warns once for each name.
func (r *reader) waiting(at order, line *realLine) (w Waiting, ok bool) {
	if _, bad := line.portNumber.get(); bad != "" {
		return w, false
	}
	w = Waiting{Name: line.name(), Weight: line.server.Weight, At: line.line.position()}
	for _, end := range []struct {
		host string
		addr address
	}{{line.first, line.firstAddr}, {line.last, line.lastAddr}} {
		_, reason := end.addr.get()
		switch {
		case reason == "":
			continue
		case end.addr.failure() == "":
			return w, false
		case w.Host == "":
			w.Host, w.Why = end.host, reason
		}
		if !end.addr.lookup.reported {
			end.addr.lookup.reported = true
			r.warn(at, nameInVain, line.line.around(end.host), fmt.Sprintf("the name %s has no address, its servers wait for one: %s", quote(end.host), reason))
		}
	}
	return w, w.Host != ""
}

// endpoints are the addresses and the port of a line of real servers.
func (r *reader) endpoints(at order, line *realLine) (first, last netip.Addr, number uint16, ok bool) {
	if line.first == "" {
		return first, last, 0, false
	}
	first, ok = r.hostAddress(at, realHost, line.line, line.first, line.firstAddr)
	number, noPort := line.portNumber.get()
	if noPort != "" {
		r.unresolved(at, realPort, line.line, line.port, noPort)
	}
	last = first
	hasLast := true
	if line.last != "" {
		last, hasLast = r.hostAddress(at, realHost, line.line, line.last, line.lastAddr)
	}
	return first, last, number, ok && hasLast && noPort == ""
}

// countReals counts the lines of real servers.
func (r *reader) countReals() (n int) {
	for _, s := range r.sections {
		n += len(s.reals)
	}
	return n
}
