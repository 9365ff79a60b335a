package doctor

// This file finds problems between the director and its servers, and problems of servers that run on the director.

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"

	"ldirectord/internal/lvs"
	"ldirectord/internal/plan"
	"ldirectord/parser"
)

// forwarding finds settings that keep the director from forwarding the answers of masqueraded servers.
func (x one) forwarding() {
	for _, m := range x.Entries {
		if !isMasq(m) || x.routeTo(m).local {
			continue
		}
		if setting := x.forwards(m); x.settings[setting] == "0" {
			x.tell("forwarding", x.before(setting), setting)
		}
	}
}

// before returns the sysctl assignment that must precede the given setting for forwarding, or "". A kernel that
// forwards IPv6 ignores router advertisements and deletes the default route that it learned from them, except where
// accept_ra is 2.
func (x one) before(setting string) string {
	out := x.route(client6())
	if accepts := acceptRA(out.device); setting == forward6 && out.learned && x.settings[accepts] == "1" {
		return accepts + "=2 "
	}
	return ""
}

// forwards returns the setting for forwarding a server's answers. For IPv4 it is the setting of the incoming device. If
// that and ip_forward are both 0, it is ip_forward, which sets all devices. For IPv6 it is the setting that all devices
// share.
func (x one) forwards(m *plan.Entry) string {
	device := ofDevice(x.routeTo(m).device, forwards)
	switch {
	case addressOf(m).Is6():
		return forward6
	case x.settings[device] == "" || x.settings[device] == "0" && x.settings[forward4] == "0":
		return forward4
	}
	return device
}

// cards finds network cards that can't send packets to servers because they are missing or down, or have no link.
func (x one) cards() {
	for _, m := range x.Entries {
		name := x.cardTo(m)
		if name == "" || x.routeTo(m).local {
			continue
		}
		i := slices.IndexFunc(x.devices, func(d device) bool { return d.Name == name })
		switch {
		case i < 0 || !x.devices[i].is(net.FlagUp):
			x.tell("server-card", name)
		case !x.devices[i].is(net.FlagRunning):
			x.tell("server-card link", name)
		}
	}
}

// cardTo returns the device that leads to a server. While that device is down, the kernel's route is wrong or missing,
// so cardTo looks for the device that has the server's network.
func (x one) cardTo(m *plan.Entry) string {
	r, addr := x.routeTo(m), addressOf(m)
	if r.device != "" && !r.gateway {
		return r.device
	}
	return cmp.Or(x.deviceOf(addr, net.FlagUp), x.deviceOf(addr, 0), r.device)
}

// behindRouter finds servers with forwarding method gate that are behind a router. Packets forwarded in this way can't
// pass a router. With announce, checks can't either.
func (x one) behindRouter() {
	more := ""
	if isAnnounced(x.Service) {
		more = "; with announce its checks stay on the link, so it is down"
	}
	for _, m := range x.Entries {
		if m.Dest.Forward == lvs.Route && x.routeTo(m).gateway {
			x.tell("gate-routed", addressOf(m), more)
		}
	}
}

// answers finds machines that wrongly answer for a virtual address on the network. They are servers with gate or ipip,
// or unknown machines.
func (x one) answers() {
	for _, p := range x.Addresses() {
		for _, hardware := range x.neighbours[p.Addr()] {
			server, known := x.serverWith(hardware)
			switch {
			case known:
				x.tell("server-answers", server, p.Addr(), x.setUp(server))
			case x.ends(p): // otherwise the address may be the active director's
				x.tell("stranger-answers", hardware, p.Addr(), x.whoHas(p.Addr()))
			}
		}
	}
}

// whoHas returns the command that shows who answers for an address on its network. arping is for IPv4 alone.
func (x one) whoHas(addr netip.Addr) string {
	device := x.deviceOf(addr, net.FlagUp)
	if addr.Is6() {
		return fmt.Sprintf("ndisc6 -m %s %s", addr, device)
	}
	return fmt.Sprintf("arping -c 3 -I %s %s", device, addr)
}

// serverWith returns the server that has a hardware address, preferably a server of this virtual service.
func (x one) serverWith(hardware string) (addr netip.Addr, known bool) {
	for _, s := range append([]*plan.Service{x.Service}, x.services...) {
		for _, m := range s.Entries {
			if addr = addressOf(m); slices.Contains(x.neighbours[addr], hardware) {
				return addr, true
			}
		}
	}
	return netip.Addr{}, false
}

const (
	maxPacket = 1500 // the size of a full packet on Ethernet
	tunnel4   = "tunl0"
)

// tunnels finds problems with servers that have forwarding method ipip: routes whose MTU is too small for a full packet
// in a tunnel, and settings that make the kernel drop packets from a tunnel as forged.
func (x one) tunnels() {
	up := slices.ContainsFunc(x.devices, func(d device) bool { return d.Name == tunnel4 && d.is(net.FlagUp) })
	for _, m := range x.Entries {
		if m.Dest.Forward != lvs.Tunnel {
			continue
		}
		r := x.routeTo(m)
		if up && x.deviceSetting(tunnel4, reversePath) == "1" {
			name := "tunnel-filter"
			if r.local { // this machine is that server, for another director
				name = "tunnel-filter here"
			}
			x.tell(name, tunnel4)
		}
		header := 20
		if addressOf(m).Is6() {
			header = 40
		}
		if !r.local && r.mtu > 0 && r.mtu < maxPacket+header {
			mss := r.mtu - 2*header - 20 // the header of the tunnel, the packet's own and that of TCP
			x.tell("tunnel-mtu", maxPacket, r.device, r.mtu, mss, maxPacket+header)
		}
	}
}

// own finds problems with servers on the director itself. With gate or ipip, such a server gets packets unchanged, so
// it must listen at the virtual address. With masq, its address must not be a loopback address. own also finds fallback
// servers that accept no connection, which would otherwise be noticed only when all other servers are down.
func (x one) own() {
	for _, m := range x.Entries {
		silent := "own-server"
		if m.Fallback {
			silent = "sorry-server"
		}
		switch local := x.routeTo(m).local; {
		case local && isMasq(m) && addressOf(m).IsLoopback():
			x.tell("masq-loopback", m.Name())
		case local && !isMasq(m) && x.listening != nil:
			for _, to := range asked(x.Virtual) {
				if !x.listening.accepts(to) {
					x.tell(silent, m.Name(), to, to.Port())
				}
			}
		}
		if err := x.refused[m.Dest.Addr]; m.Fallback && err != nil {
			x.tell("sorry-server refuses", m.Name(), reason(err))
		}
	}
}

// asked returns the TCP addresses and ports that clients connect to. It leaves out networks and port ranges.
func asked(v *parser.Virtual) (list []netip.AddrPort) {
	if v.Protocol == lvs.TCP && v.Addr.Port() != 0 {
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

// reason returns the cause of a failed connection, without the addresses.
func reason(err error) string {
	if op, is := errors.AsType[*net.OpError](err); is {
		err = op.Err
	}
	return err.Error()
}
