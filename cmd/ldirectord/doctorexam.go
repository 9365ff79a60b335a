package main

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"

	"ldirectord/director"
	"ldirectord/ipvsctl"
	"ldirectord/parser"
)

// examination holds virtual services against facts.
type examination struct {
	facts
	services []director.Service
	path     string // of the configuration
	faults   []fault
	known    map[string]int // the place of each
}

// examine finds what is not as the services need it: what keeps traffic from flowing first, each once.
func examine(services []director.Service, facts facts, path string) []fault {
	e := &examination{facts: facts, services: services, path: path, known: map[string]int{}}
	for _, s := range services {
		e.addresses(s)
		e.marking(s)
		e.forwarding(s)
		e.neighbours(s)
		e.tunnels(s)
		e.translation(s)
		e.templates(s)
		e.removed(s)
		e.reuse(s)
		e.takeOver(s)
		e.needed(s)
		e.own(s)
		e.sorry(s)
	}
	slices.SortStableFunc(e.faults, func(a, b fault) int { return strings.Compare(a.Severity, b.Severity) })
	return e.faults
}

func (e *examination) add(s director.Service, severity, kind, command, format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	key := kind + "\n" + text + "\n" + command
	i, known := e.known[key]
	if !known {
		e.known[key] = len(e.faults)
		e.faults = append(e.faults, fault{severity, kind, []string{s.Config.ID}, text, command})
		return
	}
	f := &e.faults[i]
	if last := f.Virtuals[len(f.Virtuals)-1]; last != s.Config.ID { // the services come one after another
		f.Virtuals = append(f.Virtuals, s.Config.ID)
	}
}

// set is the command for a setting of the kernel.
func set(name, value string) string { return "sysctl -w " + name + "=" + value }

// addresses: packets reach IPVS only where the machine takes them for its own, and clients of the same
// network find it only where it answers for the address.
func (e *examination) addresses(s director.Service) {
	for _, p := range virtualAddresses(s.Config) {
		switch {
		case !e.ends(p, s.Config.Mark):
			e.add(s, breaks, "virtual-address", e.addAddress(p), "%s", offMachine(p))
		case p.IsSingleIP() && p.Addr().Is4():
			e.silence(s, p.Addr())
		}
	}
}

// ends tells whether packets to an address, or some of a network, end on this machine.
func (e *examination) ends(p netip.Prefix, mark uint32) bool {
	if e.ways[way{p.Addr(), mark}].local {
		return true
	}
	return slices.ContainsFunc(e.devices, func(d device) bool {
		return slices.ContainsFunc(d.prefixes, func(have netip.Prefix) bool { return p.Contains(have.Addr()) })
	})
}

func (e *examination) addAddress(p netip.Prefix) string {
	if !p.IsSingleIP() {
		return fmt.Sprintf("ip route add local %s dev lo", p)
	}
	device := e.deviceOf(p.Addr())
	if device == "" {
		device = e.ways[way{to: p.Addr()}].device
	}
	if device == "" {
		device = "lo"
	}
	command := fmt.Sprintf("ip address add %s dev %s", p, device)
	if p.Addr().Is6() {
		command += " nodad" // at once, as for any address that moves between machines
	}
	return command
}

// deviceOf is the device with the network of an address, "" for none.
func (e *examination) deviceOf(addr netip.Addr) string {
	for _, d := range e.devices {
		inside := func(p netip.Prefix) bool { return !p.IsSingleIP() && p.Masked().Contains(addr) }
		if d.up && !d.loopback && slices.ContainsFunc(d.prefixes, inside) {
			return d.name
		}
	}
	return ""
}

// silence: with the settings of a real server a director does not answer for an address on lo.
func (e *examination) silence(s director.Service, addr netip.Addr) {
	device := e.deviceOf(addr)
	if device == "" || e.deviceSetting(device, arpIgnore) < "1" {
		return
	}
	for _, d := range e.devices {
		if !d.loopback && slices.ContainsFunc(d.prefixes, func(p netip.Prefix) bool { return p.Addr() == addr }) {
			return
		}
	}
	e.add(s, breaks, "director-silent", fmt.Sprintf("ip address add %s/32 dev %s", addr, device),
		"the address %s is on lo and arp_ignore is set, so this machine does not answer for it on %s", addr, device)
}

// marking: what check says of a mark.
func (e *examination) marking(s director.Service) {
	if e.marks == nil || s.Config.Mark == 0 {
		return
	}
	j := markJudge{findings: &findings{}, machine: *e.marks, owns: e.owns}
	j.service(s.Config)
	if len(s.Config.Marking) > 0 {
		j.backEnds(s.Config)
	}
	for _, d := range j.found {
		severity := warns
		if d.Kind == "mark-unset" || d.Kind == "mark-unsettable" {
			severity = breaks
		}
		e.add(s, severity, d.Kind, "", "%s", d.Text)
	}
}

// forwarding: answers of masqueraded servers are packets that the director forwards.
func (e *examination) forwarding(s director.Service) {
	for _, m := range s.Members {
		if m.Dest.Forward != ipvsctl.Masq || e.wayTo(m).local {
			continue
		}
		if setting := e.notForwarding(m); setting != "" {
			e.add(s, breaks, "forwarding", set(setting, "1"), "answers of masq servers do not get back to clients: this machine does not forward")
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
			e.add(s, breaks, "gate-routed", "", "%s is behind a router, which gate can't pass: packets keep the virtual address; write ipip for it", m.Dest.Addr.Addr())
		}
	}
	for _, p := range virtualAddresses(s.Config) {
		for _, hardware := range e.holders[p.Addr()] {
			server, known := e.serverWith(hardware, s)
			switch {
			case known:
				e.add(s, breaks, "server-answers", fmt.Sprintf("ldirectord %s realserver-script %s | ssh root@%s sh -s start", shellQuote(e.path), server, server),
					"real server %s answers for the virtual address %s on the network, so clients find it in place of this director", server, p.Addr())
			case e.ends(p, s.Config.Mark): // else it may be the director that is active
				e.add(s, warns, "stranger-answers", fmt.Sprintf("arping -c 3 -I %s %s", e.deviceOf(p.Addr()), p.Addr()),
					"a machine that is no real server (%s) answers for the virtual address %s as well; see who", hardware, p.Addr())
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
			severity := warns
			if e.wayTo(m).local { // it is that server, for another director
				severity = breaks
			}
			e.add(s, severity, "tunnel-filter", set(ofDevice(tunnel4, reversePath), "2"),
				"this machine has %s up and drops what comes out of it: its clients are reached by another interface (rp_filter)", tunnel4)
		}
		header := 20
		if m.Dest.Addr.Addr().Is6() {
			header = 40
		}
		if w := e.wayTo(m); !w.local && w.mtu > 0 && w.mtu < usualPacket+header {
			e.add(s, warns, "tunnel-mtu", fmt.Sprintf("ip link set dev %s mtu %d", w.device, usualPacket+header),
				"packets of %d bytes do not fit into the tunnel on %s, which takes %d with its header: clients whose ICMP is filtered hang; "+
					"raise the MTU where the network takes it, or let the servers offer less (TCPMSS --set-mss %d)",
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

// translation: rules of NAT see the packets of IPVS only when conntrack does.
func (e *examination) translation(s director.Service) {
	if e.nat != "" && e.settings[vsConntrack] == "0" && isMasqueraded(s) {
		e.add(s, warns, "conntrack", set(vsConntrack, "1"),
			"rules of NAT do not act on what IPVS forwards, which conntrack does not see: %s", e.nat)
	}
}

// templates: known clients are sent to a server of weight 0 as long as their persistence lasts.
func (e *examination) templates(s director.Service) {
	if isSticky(s.Config) && e.settings[expireTemplate] == "0" {
		e.add(s, warns, "sticky-quiescent", set(expireTemplate, "1"), "%s", stickyText)
	}
}

// removed: what goes to a server that was taken out is dropped in silence until the connection times out.
func (e *examination) removed(s director.Service) {
	if !s.Config.Quiescent && len(s.Config.Reals) > 0 && e.settings[expireNoDest] == "0" {
		e.add(s, warns, "lost-connections", set(expireNoDest, "1"),
			"without quiescent a failed server is removed, and its open connections hang until they time out instead of ending at once")
	}
}

// reuse: a client's port may come again while the old connection is still known.
func (e *examination) reuse(s director.Service) {
	slow := e.settings[vsConntrack] == "1" // kernels before 5.9 then lose a second on each such port
	if s.Config.Protocol != parser.UDP && e.settings[connReuse] == "0" && !slow {
		e.add(s, warns, "port-reuse", set(connReuse, "1"),
			"a client that uses a port again is sent to its old server, even to one of weight 0")
	}
}

// takeOver: another director that takes over knows none of the open connections.
func (e *examination) takeOver(s director.Service) {
	steady := s.Config.Scheduler == "sh" || s.Config.Scheduler == "mh"
	forwarded := slices.ContainsFunc(s.Members, func(m director.Member) bool { return m.Dest.Forward != ipvsctl.Masq })
	if steady && forwarded && s.Config.Protocol != parser.UDP && e.settings[sloppyTCP] == "0" {
		e.add(s, warns, "take-over", set(sloppyTCP, "1"),
			"a director that takes over drops open connections, though %s would send them to the same server; matters with two directors", s.Config.Scheduler)
	}
}

// needed: the kernel loads schedulers and persistence engines itself, where it has them, but not ip_vs_ftp.
func (e *examination) needed(s director.Service) {
	for _, n := range append([]need{{"virtual", "ip_vs"}}, neededModules(s.Config)...) {
		if e.modules.lacks(n.module) {
			e.add(s, breaks, "missing-module", "", "%s; install the package that has it", n)
		}
	}
	if isFTP(s.Config) && isMasqueraded(s) && !e.loaded[ftpModule] {
		e.add(s, breaks, "ftp-module", "modprobe "+ftpModule, "data connections of FTP do not pass masq: %s is not loaded, and the kernel does not load it by itself", ftpModule)
	}
}

func isFTP(v *parser.Virtual) bool {
	return v.Protocol == parser.TCP && v.Addr.Port() == ftpPort || v.Mark != 0 && v.Service == "ftp"
}

// own: a server on the director itself gets the packets as they came, by gate and ipip.
func (e *examination) own(s director.Service) {
	for _, m := range s.Members {
		if !e.wayTo(m).local {
			continue
		}
		if m.Dest.Forward == ipvsctl.Masq {
			if m.Dest.Addr.Addr().IsLoopback() {
				e.add(s, breaks, "masq-loopback", "", "%s is never reached: the kernel drops what comes from outside for a loopback address; write gate for it", m.Name)
			}
			continue
		}
		for _, to := range asked(s.Config) {
			if e.listening == nil || e.listening.takes(to) {
				continue
			}
			severity, kind, what := breaks, "own-server", "real server"
			if m.Fallback {
				severity, kind, what = warns, "sorry-server", "sorry server"
			}
			e.add(s, severity, kind, "", "%s %s is this machine, where nothing listens on %s: what comes for the virtual service keeps its address and port; let it listen there or on every address",
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
			e.add(s, warns, "sorry-server", "", "sorry server %s takes no connection: %s; start it", m.Name, reason(err))
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
