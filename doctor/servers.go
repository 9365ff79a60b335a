package doctor

// What is wrong between the director and its servers, and what a server on the director needs.

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"

	"ldirectord/director"
	"ldirectord/lvs"
	"ldirectord/parser"
)

// forwarding: answers of masqueraded servers are packets that the director forwards.
func (e *examination) forwarding(s director.Service) {
	for _, m := range s.Members {
		if m.Dest.Forward != lvs.Masq || e.routeTo(m).local {
			continue
		}
		if setting := e.notForwarding(m); setting != "" {
			e.broken(s, "forwarding", set(setting, "1"),
				"answers of masq servers do not get back to clients: this machine does not forward")
		}
	}
}

// notForwarding is the setting that keeps a server's answers from being forwarded, "" if none does. For IPv4 the
// setting of the incoming device decides (ip_forward sets it for each), for IPv6 the one of all devices.
func (e *examination) notForwarding(m director.Member) string {
	if m.Dest.Addr.Addr().Is6() {
		return e.ifZero(forward6)
	}
	device := ofDevice(e.routeTo(m).device, forwards)
	switch {
	case e.settings[device] == "":
		return e.ifZero(forward4)
	case e.settings[device] == "0" && e.settings[forward4] == "0":
		return forward4
	default:
		return e.ifZero(device)
	}
}

func (e *examination) ifZero(setting string) string {
	if e.settings[setting] != "0" {
		return ""
	}
	return setting
}

// answers: a server by gate or ipip has the virtual address and must not answer for it.
func (e *examination) answers(s director.Service) {
	e.behindRouter(s)
	for _, p := range s.Config.Addresses() {
		for _, hardware := range e.neighbours[p.Addr()] {
			e.answering(s, p, hardware)
		}
	}
}

// behindRouter: packets by gate pass no router, and nor do the checks of what is announced.
func (e *examination) behindRouter(s director.Service) {
	more := ""
	if isAnnounced(s) {
		more = "; with announce its checks stay on the link, so it is down"
	}
	for _, m := range s.Members {
		if m.Dest.Forward == lvs.Route && e.routeTo(m).gateway {
			e.broken(s, "gate-routed", "",
				"%s is behind a router, which gate can't pass: packets keep the virtual address; use "+
					"ipip for it%s", m.Dest.Addr.Addr(), more)
		}
	}
}

// answering: a network card answers for a virtual address. One of no real server may be the active director's, where
// the address is not here.
func (e *examination) answering(s director.Service, p netip.Prefix, hardware string) {
	server, known := e.serverWith(hardware, s)
	switch {
	case known:
		e.broken(s, "server-answers", e.setUp(server),
			"real server %s answers for the virtual address %s on the network, so clients find it in "+
				"place of this director", server, p.Addr())
	case e.ends(s.Config, p, s.Config.Mark):
		e.warn(s, "stranger-answers", fmt.Sprintf("arping -c 3 -I %s %s", e.deviceOf(p.Addr()), p.Addr()),
			"a machine that is not a real server (%s) answers for the virtual address %s as well; find "+
				"out which", hardware, p.Addr())
	}
}

// serverWith is the server with a hardware address: one of s, or else of any service.
func (e *examination) serverWith(hardware string, s director.Service) (addr netip.Addr, known bool) {
	for _, s := range append([]director.Service{s}, e.services...) {
		for _, m := range s.Members {
			if addr = m.Dest.Addr.Addr(); slices.Contains(e.neighbours[addr], hardware) {
				return addr, true
			}
		}
	}
	return netip.Addr{}, false
}

const (
	maxPacket = 1500 // bytes of a packet of a client on Ethernet
	tunnel4   = "tunl0"
)

// tunnels: what goes in must fit, and what comes out must not be dropped as forged.
func (e *examination) tunnels(s director.Service) {
	for _, m := range s.Members {
		if m.Dest.Forward != lvs.Tunnel {
			continue
		}
		up := slices.ContainsFunc(e.devices,
			func(d device) bool { return d.Name == tunnel4 && d.is(net.FlagUp) })
		if up && e.deviceSetting(tunnel4, reversePath) == "1" {
			report := e.warn
			if e.routeTo(m).local { // it is that server, for another director
				report = e.broken
			}
			report(s, "tunnel-filter", set(ofDevice(tunnel4, reversePath), "2"),
				"this machine has %s up and drops what comes out of it: its clients are reached by "+
					"another interface (rp_filter)", tunnel4)
		}
		header := 20
		if m.Dest.Addr.Addr().Is6() {
			header = 40
		}
		if r := e.routeTo(m); !r.local && r.mtu > 0 && r.mtu < maxPacket+header {
			e.warn(s, "tunnel-mtu", fmt.Sprintf("ip link set dev %s mtu %d", r.device, maxPacket+header),
				"packets of %d bytes do not fit into the tunnel on %s, which takes %d with its "+
					"header: clients whose ICMP is filtered hang; "+
					"raise the MTU where the network allows it, or let the servers offer less "+
					"(TCPMSS --set-mss %d)",
				maxPacket, r.device, r.mtu, r.mtu-header-40)
		}
	}
}

// own: a server on the director itself gets the packets unchanged by gate and ipip.
func (e *examination) own(s director.Service) {
	for _, m := range s.Members {
		if !e.routeTo(m).local {
			continue
		}
		if m.Dest.Forward == lvs.Masq {
			if m.Dest.Addr.Addr().IsLoopback() {
				e.broken(s, "masq-loopback", "",
					"%s is never reached: the kernel drops what comes from outside for a "+
						"loopback address; use gate for it", m.Name)
			}
			continue
		}
		for _, to := range asked(s.Config) {
			if e.listening == nil || e.listening.accepts(to) {
				continue
			}
			report, kind, what := e.broken, "own-server", "real server"
			if m.Fallback {
				report, kind, what = e.warn, "sorry-server", "fallback server"
			}
			report(s, kind, "",
				"%s %s is this machine, where nothing listens on %s: what comes for the virtual "+
					"service keeps its address and port; have it listen there or on every address",
				what, m.Name, to)
		}
	}
}

// asked are the single addresses and ports of TCP that clients connect to.
func asked(v *parser.Virtual) (list []netip.AddrPort) {
	if v.Protocol == parser.TCP && v.Addr.Port() != 0 {
		return []netip.AddrPort{v.Addr}
	}
	for _, m := range v.Marking {
		for _, r := range m.Ports {
			if m.Dest.IsSingleIP() && m.Protocol == "tcp" && r.First == r.Last {
				list = append(list, netip.AddrPortFrom(m.Dest.Addr(), r.First))
			}
		}
	}
	return list
}

// fallback: a fallback server that does not answer is noticed only when all others are down.
func (e *examination) fallback(s director.Service) {
	for _, m := range s.Members {
		if err := e.refused[m.Dest.Addr]; m.Fallback && err != nil {
			e.warn(s, "sorry-server", "", "fallback server %s accepts no connection: %s; start it", m.Name,
				reason(err))
		}
	}
}

// reason is the cause of a failed connection without its addresses.
func reason(err error) string {
	if op, is := errors.AsType[*net.OpError](err); is {
		err = op.Err
	}
	return err.Error()
}
