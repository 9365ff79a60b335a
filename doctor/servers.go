package doctor

// What lies between the director and its servers, and what a server on the director needs.

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"

	"ldirectord/director"
	"ldirectord/ipvsctl"
	"ldirectord/parser"
	"ldirectord/printable"
)

// forwarding: answers of masqueraded servers are packets that the director forwards.
func (e *examination) forwarding(s director.Service) {
	for _, m := range s.Members {
		if m.Dest.Forward != ipvsctl.Masq || e.wayTo(m).local {
			continue
		}
		if setting := e.notForwarding(m); setting != "" {
			e.add(s, broken, "forwarding", set(setting, "1"), "answers of masq servers do not get back to clients: this machine does not forward")
		}
	}
}

// notForwarding is the setting that keeps a server's answers from being forwarded, "" if none does: for IPv4
// that of the device they come in by counts (ip_forward sets it for each), for IPv6 that of all.
func (e *examination) notForwarding(m director.Member) string {
	if m.Dest.Addr.Addr().Is6() {
		return e.ifZero(forward6)
	}
	device := ofDevice(e.wayTo(m).device, forwards)
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

// neighbours: a server by gate or ipip has the virtual address and must keep silent about it.
func (e *examination) neighbours(s director.Service) {
	for _, m := range s.Members {
		if m.Dest.Forward == ipvsctl.Route && e.wayTo(m).gateway {
			e.add(s, broken, "gate-routed", "", "%s is behind a router, which gate can't pass: packets keep the virtual address; use ipip for it", m.Dest.Addr.Addr())
		}
	}
	for _, p := range s.Config.Addresses() {
		for _, hardware := range e.holders[p.Addr()] {
			server, known := e.serverWith(hardware, s)
			switch {
			case known:
				e.add(s, broken, "server-answers", fmt.Sprintf("ldirectord %s realserver-script %s | ssh root@%s sh -s start", printable.ShellWord(e.path), server, server),
					"real server %s answers for the virtual address %s on the network, so clients find it in place of this director", server, p.Addr())
			case e.ends(p, s.Config.Mark): // else it may be the director that is active
				e.add(s, warning, "stranger-answers", fmt.Sprintf("arping -c 3 -I %s %s", e.deviceOf(p.Addr()), p.Addr()),
					"a machine that is not a real server (%s) answers for the virtual address %s as well; find out which", hardware, p.Addr())
			}
		}
	}
}

// serverWith is the server with a hardware address: one of s, or else of any service.
func (e *examination) serverWith(hardware string, s director.Service) (addr netip.Addr, known bool) {
	for _, s := range append([]director.Service{s}, e.services...) {
		for _, m := range s.Members {
			if addr = m.Dest.Addr.Addr(); slices.Contains(e.holders[addr], hardware) {
				return addr, true
			}
		}
	}
	return netip.Addr{}, false
}

const (
	usualPacket = 1500 // bytes of a client's largest packet
	tunnel4     = "tunl0"
)

// tunnels: what goes in must fit, and what comes out must not be taken for a forgery.
func (e *examination) tunnels(s director.Service) {
	for _, m := range s.Members {
		if m.Dest.Forward != ipvsctl.Tunnel {
			continue
		}
		if d := e.deviceNamed(tunnel4); d != nil && d.up && e.deviceSetting(tunnel4, reversePath) == "1" {
			severity := warning
			if e.wayTo(m).local { // it is that server, for another director
				severity = broken
			}
			e.add(s, severity, "tunnel-filter", set(ofDevice(tunnel4, reversePath), "2"),
				"this machine has %s up and drops what comes out of it: its clients are reached by another interface (rp_filter)", tunnel4)
		}
		header := 20
		if m.Dest.Addr.Addr().Is6() {
			header = 40
		}
		if w := e.wayTo(m); !w.local && w.mtu > 0 && w.mtu < usualPacket+header {
			e.add(s, warning, "tunnel-mtu", fmt.Sprintf("ip link set dev %s mtu %d", w.device, usualPacket+header),
				"packets of %d bytes do not fit into the tunnel on %s, which takes %d with its header: clients whose ICMP is filtered hang; "+
					"raise the MTU where the network allows it, or let the servers offer less (TCPMSS --set-mss %d)",
				usualPacket, w.device, w.mtu, w.mtu-header-40)
		}
	}
}

func (e *examination) deviceNamed(name string) *device {
	i := slices.IndexFunc(e.devices, func(d device) bool { return d.name == name })
	if i < 0 {
		return nil
	}
	return &e.devices[i]
}

// own: a server on the director itself gets the packets as they came, by gate and ipip.
func (e *examination) own(s director.Service) {
	for _, m := range s.Members {
		if !e.wayTo(m).local {
			continue
		}
		if m.Dest.Forward == ipvsctl.Masq {
			if m.Dest.Addr.Addr().IsLoopback() {
				e.add(s, broken, "masq-loopback", "", "%s is never reached: the kernel drops what comes from outside for a loopback address; use gate for it", m.Name)
			}
			continue
		}
		for _, to := range asked(s.Config) {
			if e.listening == nil || e.listening.takes(to) {
				continue
			}
			severity, kind, what := broken, "own-server", "real server"
			if m.Fallback {
				severity, kind, what = warning, "sorry-server", "sorry server"
			}
			e.add(s, severity, kind, "", "%s %s is this machine, where nothing listens on %s: what comes for the virtual service keeps its address and port; have it listen there or on every address",
				what, m.Name, to)
		}
	}
}

// asked are the addresses and ports of TCP that clients ask, as far as they are single ones.
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

// sorry: a sorry server that does not answer is noticed only when all others are down.
func (e *examination) sorry(s director.Service) {
	for _, m := range s.Members {
		if err := e.refused[m.Dest.Addr]; m.Fallback && err != nil {
			e.add(s, warning, "sorry-server", "", "sorry server %s accepts no connection: %s; start it", m.Name, reason(err))
		}
	}
}

// reason is the cause of a failed connection without its addresses.
func reason(err error) string {
	var op *net.OpError
	if errors.As(err, &op) {
		err = op.Err
	}
	return err.Error()
}
