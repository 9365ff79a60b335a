package parser

import (
	"fmt"
	"net/netip"
)

// This file puts addresses in the place of names, and reports what has none.

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
	case s.protocol != "":
		return s.protocol
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

// unresolved reports a host or port without an address or number.
func (r *reader) unresolved(at place, kind string, l line, what, text, reason string) {
	p := refuse(kind, "%s %s cannot be used: %s", what, quote(text), reason)
	r.problem(at, l, p.around(text))
}

// address of a section's header. It is not valid when there is none.
func (r *reader) address(s *section) netip.AddrPort {
	if s.broken || s.isMark {
		return netip.AddrPort{}
	}
	at := s.place(headerNames)
	addr, reason := s.addr.get()
	if reason != "" {
		s.broken = true
		r.unresolved(at, badVirtualAddress, s.line, "the address", s.host, reason)
		return netip.AddrPort{}
	}
	number, reason := s.addrPort.get()
	if reason != "" {
		s.broken = true
		r.unresolved(at, badVirtualAddress, s.line, "the port", s.port, reason)
		return netip.AddrPort{}
	}
	return netip.AddrPortFrom(addr, number)
}

// ownFallback is the sorry server of a section, nil when it has none. Without a port it has the
// section's.
func (r *reader) ownFallback(s *section, v *Virtual) *Fallback {
	f := s.fallback
	if f == nil {
		return nil
	}
	at := s.place(fallbackNames)
	addr, reason := f.addr.get()
	if reason != "" {
		r.unresolved(at, fallbackHost, f.line, "the address", f.host, reason)
		return nil
	}
	number := v.Addr.Port()
	if f.hasPort {
		if number, reason = f.tcp.get(); reason != "" {
			r.unresolved(at, fallbackPort, f.line, "the port", f.port, reason)
			return nil
		}
	}
	return &Fallback{Addr: netip.AddrPortFrom(addr, number), Forward: f.forward, Weight: 1, At: f.line.position()}
}

// globalFallback is the sorry server for all sections of a family. A service name that is known for
// one protocol only means the same port for the other.
func (r *reader) globalFallback(f *fallbackLine) *GlobalFallback {
	if f == nil {
		return nil
	}
	at := place{block: f.line.number}
	addr, reason := f.addr.get()
	if reason != "" {
		r.unresolved(at, fallbackHost, f.line, "the address", f.host, reason)
		return nil
	}
	tcp, noTCP := f.tcp.get()
	udp, noUDP := f.udp.get()
	switch {
	case noTCP != "" && noUDP != "":
		r.unresolved(at, fallbackPort, f.line, "the port", f.port, noTCP)
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
func (r *reader) servers(s *section, line *realLine, out []Real) []Real {
	at := s.place(realNames)
	first, last, number, ok := r.endpoints(at, line)
	if line.problem != nil {
		r.problem(at, line.line, line.problem)
		return out
	}
	if !ok {
		return out
	}
	count := rangeSize(first, last)
	if count == 0 {
		p := refuse(badRealRange, "the range from %s to %s is not allowed; it goes upwards and has at most %d addresses", first, last, largestRange)
		r.problem(at, line.line, p)
		return out
	}
	if r.reals += count; r.reals > mostReals {
		if r.reals-count <= mostReals {
			r.error(at, tooLarge, line.line.position(), fmt.Sprintf("the file has more than %d real servers", mostReals))
		}
		return out
	}
	server := line.server
	server.At = line.line.position()
	for addr := first; count > 0; addr, count = addr.Next(), count-1 {
		server.Addr = netip.AddrPortFrom(addr, number)
		out = append(out, server)
	}
	return out
}

// endpoints are the addresses and the port of a line of real servers.
func (r *reader) endpoints(at place, line *realLine) (first, last netip.Addr, number uint16, ok bool) {
	if line.first == "" {
		return first, last, 0, false
	}
	var noFirst, noLast, noPort string
	if first, noFirst = line.firstAddr.get(); noFirst != "" {
		r.unresolved(at, realHost, line.line, "the address", line.first, noFirst)
	}
	if number, noPort = line.portNumber.get(); noPort != "" {
		r.unresolved(at, realPort, line.line, "the port", line.port, noPort)
	}
	last = first
	if line.last != "" {
		if last, noLast = line.lastAddr.get(); noLast != "" {
			r.unresolved(at, realHost, line.line, "the address", line.last, noLast)
		}
	}
	return first, last, number, noFirst+noPort+noLast == ""
}

// countReals counts the lines of real servers.
func (r *reader) countReals() (n int) {
	for _, s := range r.sections {
		n += len(s.reals)
	}
	return n
}
