package plan

import (
	"net/netip"
	"slices"

	"ldirectord/internal/lvs"
)

// Virtuals finds the port at which a virtual service of a plan reaches a server. It stores no servers, because the plan
// has them.
type Virtuals struct {
	byAddr map[netip.AddrPort]*Service // the TCP services by address
	marked []*Service                  // the services with mark lines
}

// Virtuals returns the virtual services that TCP connections can go to.
func (p *Plan) Virtuals() *Virtuals {
	v := &Virtuals{byAddr: map[netip.AddrPort]*Service{}}
	for _, s := range p.Services {
		switch {
		case s.Config.Protocol == lvs.TCP:
			v.byAddr[s.Key().Addr] = s
		case len(s.Config.Marking) > 0:
			v.marked = append(v.marked, s)
		}
	}
	return v
}

// PortOf returns the port at which a connection to a virtual service reaches a server; 0 if it does not. isChecked
// reports whether the service has only one port, and one of its checks goes to exactly the address and port in server.
// A service by gate or ipip with one port is assumed to reach every server.
func (v *Virtuals) PortOf(to, server netip.AddrPort) (port uint16, isChecked bool) {
	s := v.at(to)
	if s == nil {
		return 0, false
	}
	on := s.on(server.Addr())
	hasOnePort := s.Config.Addr.Port() != 0
	switch {
	case len(on) > 0:
		isHere := func(e *Entry) bool { return s.checks(e, server.Port()) }
		return on[0].portFor(to), hasOnePort && slices.ContainsFunc(on, isHere)
	case hasOnePort && !s.isMasq(): // the director itself can't reach a service by gate or ipip
		return to.Port(), false
	}
	return 0, false
}

// at returns the service that gets a connection; nil if none does. As in the kernel, a mark takes precedence over a
// service with this port, which takes precedence over a service for all ports. If several mark rules match, the last
// one counts.
func (v *Virtuals) at(to netip.AddrPort) *Service {
	key := lvs.Key{Addr: to, Protocol: lvs.TCP}
	for _, s := range slices.Backward(v.marked) {
		if Catches(s.Config, key) {
			return s
		}
	}
	if s := v.byAddr[to]; s != nil {
		return s
	}
	return v.byAddr[netip.AddrPortFrom(to.Addr(), 0)]
}

// on returns the entries at an address. These are members or, if no member has the address, fallback servers and former
// addresses of members.
func (s *Service) on(server netip.Addr) (found []*Entry) {
	for _, i := range s.Section.AllOn(server) {
		found = append(found, s.Entries[i])
	}
	if len(found) > 0 {
		return found
	}
	for _, few := range [][]*Entry{s.Entries[len(s.Section.Members):], s.Earlier} {
		for _, e := range few {
			if e.Dest.Addr.Addr() == server {
				found = append(found, e)
			}
		}
	}
	return found
}

// isMasq reports whether the service forwards by masq. Only the first server is examined, because few services mix
// methods.
func (s *Service) isMasq() bool { return len(s.Entries) > 0 && s.Entries[0].Dest.Forward == lvs.Masq }

// checks reports whether one of the checks of an entry goes to a port.
func (s *Service) checks(e *Entry, port uint16) bool {
	for x := range s.Uses(e) {
		if x.Check().PortOf(e.Real) == int(port) {
			return true
		}
	}
	return false
}

// portFor returns the port at which a server gets the packets for an address of its service. Only masq changes the
// port.
func (e *Entry) portFor(to netip.AddrPort) uint16 {
	if port := e.Dest.Addr.Port(); port != 0 && e.Dest.Forward == lvs.Masq {
		return port
	}
	return to.Port()
}
