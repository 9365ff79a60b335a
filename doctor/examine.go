package doctor

// What is wrong with the director itself.

import (
	"cmp"
	"fmt"
	"net"
	"net/netip"
	"slices"

	"ldirectord/director"
	"ldirectord/lvs"
	"ldirectord/parser"
)

// examination compares virtual services with facts.
type examination struct {
	facts
	findings
	services []director.Service
	path     string // of the configuration
}

func newExamination(services []director.Service, facts facts, path string) *examination {
	return &examination{facts: facts, services: services, path: path}
}

// examine finds what does not fit the services, each finding once.
func examine(services []director.Service, facts facts, path string) []Finding {
	e := newExamination(services, facts, path)
	for _, s := range services {
		if e.noIPVS.Kind != "" {
			e.report(s, e.noIPVS)
		}
		e.shared(s)
		e.addresses(s)
		e.marking(s)
		e.forwarding(s)
		e.answers(s)
		e.tunnels(s)
		e.translation(s)
		e.templates(s)
		e.pings(s)
		e.mails(s)
		e.removed(s)
		e.reuse(s)
		e.takeOver(s)
		e.announced(s)
		e.needed(s)
		e.ftp(s)
		e.own(s)
		e.fallback(s)
		e.through(s)
		e.reaches(s)
	}
	e.left()
	slices.SortStableFunc(e.list, bySeverity)
	return e.list
}

// report adds what is found for a virtual service, by default at its header.
func (e *examination) report(s director.Service, f Finding) {
	f.Virtuals = []string{s.Config.ID}
	if f.at.Line == 0 {
		f.at = s.Config.At["virtual"]
	}
	e.add(f)
}

// set is the command for a setting of the kernel.
func set(name, value string) string { return "sysctl -w " + name + "=" + value }

// addresses: packets reach IPVS only where the machine accepts them as its own, and clients of the same
// network find it only where it answers for the address.
func (e *examination) addresses(s director.Service) {
	for _, p := range s.Config.Addresses() {
		switch {
		case !e.ends(s.Config, p, s.Config.Mark):
			e.broken(s, "virtual-address", e.addAddress(p), "%s", offMachine(p))
		case p.IsSingleIP() && p.Addr().Is4():
			e.silence(s, p.Addr())
		}
	}
}

// ends reports whether packets to an address, or to some of a network, end on this machine. Without known routes it
// assumes so. The daemon sees to an address that it announces.
func (e *examination) ends(v *parser.Virtual, p netip.Prefix, mark uint32) bool {
	if slices.Contains(v.Announced(), p.Addr()) {
		return true
	}
	if r, known := e.routes[routeQuery{p.Addr(), mark}]; !known || r.local {
		return true
	}
	return slices.ContainsFunc(e.devices, func(d device) bool {
		return slices.ContainsFunc(d.prefixes, func(have netip.Prefix) bool { return p.Contains(have.Addr()) })
	})
}

// offMachine is the finding that packets to a virtual address, or to a network of them, do not end on this machine.
func offMachine(p netip.Prefix) string {
	where := p.Addr().String() + " is on no interface"
	if !p.IsSingleIP() {
		where = "no address of " + p.String() + " is on an interface"
	}
	return where + " of this machine, so its packets don't reach the virtual service"
}

func (e *examination) addAddress(p netip.Prefix) string {
	if !p.IsSingleIP() {
		return fmt.Sprintf("ip route add local %s dev lo", p)
	}
	device := cmp.Or(e.deviceOf(p.Addr()), e.routes[routeQuery{to: p.Addr()}].device, "lo")
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
		if d.is(net.FlagUp) && !d.is(net.FlagLoopback) && slices.ContainsFunc(d.prefixes, inside) {
			return d.Name
		}
	}
	return ""
}

// silence: with the settings of a real server a director does not answer for an address on lo.
func (e *examination) silence(s director.Service, addr netip.Addr) {
	device := e.deviceOf(addr)
	if device == "" || e.deviceSetting(device, arpIgnore) < "1" || isAnnounced(s) {
		return
	}
	for _, d := range e.devices {
		if !d.is(net.FlagLoopback) &&
			slices.ContainsFunc(d.prefixes, func(p netip.Prefix) bool { return p.Addr() == addr }) {
			return
		}
	}
	e.broken(s, "director-silent", fmt.Sprintf("ip address add %s/32 dev %s", addr, device),
		"the address %s is on lo and arp_ignore is set, so this machine does not answer for it on %s", addr,
		device)
}

// broken reports what does not flow. The command fixes it; it is "" where none can.
func (e *examination) broken(s director.Service, kind, command, format string, args ...any) {
	e.report(s, Finding{Severity: broken, Kind: kind, Command: command, Text: fmt.Sprintf(format, args...)})
}

// warn reports what does not flow in each case as expected. The command fixes it; it is "" where none can.
func (e *examination) warn(s director.Service, kind, command, format string, args ...any) {
	e.warnOf(s, parser.Position{}, kind, command, format, args...)
}

// warnOf is warn for a place in the section.
func (e *examination) warnOf(s director.Service, at parser.Position, kind, command, format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	e.report(s, Finding{Severity: warning, Kind: kind, Command: command, Text: text, at: at})
}

// unset warns where a setting of the kernel is 0 and should be 1.
func (e *examination) unset(s director.Service, setting, kind, format string, args ...any) {
	if e.settings[setting] == "0" {
		e.warn(s, kind, set(setting, "1"), format, args...)
	}
}

// translation: rules of NAT see the packets of IPVS only when conntrack does.
func (e *examination) translation(s director.Service) {
	if e.nat != "" && isMasqueraded(s) {
		e.unset(s, vsConntrack, "conntrack",
			"rules of NAT do not act on what IPVS forwards, which conntrack does not see: %s", e.nat)
	}
}

// templates: known clients are sent to a server of weight 0 as long as their persistence lasts.
func (e *examination) templates(s director.Service) {
	if v := s.Config; v.Persistent > 0 && v.Quiescent && e.settings[expireTemplate] == "0" {
		e.warnOf(s, v.At["persistent"], "sticky-quiescent", set(expireTemplate, "1"),
			"clients stay with a quiescent server until their persistence ends")
	}
}

// pingAt is where the first check of a virtual service is that pings; without one Line is 0.
func pingAt(s director.Service) (at parser.Position) {
	for _, check := range s.Config.Checks() {
		if check.CheckType == parser.Ping || check.CheckType == parser.Connect && check.Protocol == parser.UDP {
			return cmp.Or(check.At["checktype"], check.At["virtual"])
		}
	}
	return at
}

// pings: where none may be sent, servers stay as they are.
func (e *examination) pings(s director.Service) {
	if at := pingAt(s); e.noPing && at.Line > 0 {
		e.warnOf(s, at, "no-ping", set("net.ipv4.ping_group_range", "'0 2147483647'"),
			"this user may send no pings here, nor may a daemon without CAP_NET_RAW: "+
				"servers that are checked by ping stay as they are, and new ones stay out")
	}
}

// mails: what is to be mailed by this machine needs a program.
func (e *examination) mails(s director.Service) {
	if m := s.Config.Mail; e.noMail && m.To != "" && m.SMTP == "" {
		e.warnOf(s, s.Config.At["emailalert"], "no-mail", "",
			"there is no mail program here, so emailalert sends nothing; smtp = HOST needs none")
	}
}

// removed: what goes to a server that was taken out is dropped without an answer until the connection times out.
func (e *examination) removed(s director.Service) {
	if !s.Config.Quiescent && len(s.Config.Reals) > 0 {
		e.unset(s, expireNoDest, "lost-connections",
			"without quiescent a failed server is removed, and its open connections hang until they time "+
				"out instead of ending at once")
	}
}

// reuse: a client's port may come again while the old connection is still known.
func (e *examination) reuse(s director.Service) {
	slow := e.settings[vsConntrack] == "1" // kernels before 5.9 then lose a second on each such port
	switch {
	case s.Config.Protocol == parser.UDP:
	case s.Config.CheckVIP.IsValid() && e.settings[connReuse] == "0":
		e.broken(s, "port-reuse", set(connReuse, "1"),
			"a check through the virtual address that uses a port again reaches another server than the "+
				"one it asks, "+
				"as a client that does so is sent to its old server")
	case !slow:
		e.unset(s, connReuse, "port-reuse",
			"a client that uses a port again is sent to its old server, even to one of weight 0")
	}
}

// takeOver: another director that takes over knows none of the open connections.
func (e *examination) takeOver(s director.Service) {
	steady := s.Config.Scheduler == "sh" || s.Config.Scheduler == "mh"
	forwarded := slices.ContainsFunc(s.Members,
		func(m director.Member) bool { return m.Dest.Forward != lvs.Masq })
	switch {
	case !steady || !forwarded || s.Config.Protocol == parser.UDP:
	case isAnnounced(s) && s.Config.Scheduler == "mh" && e.settings[sloppyTCP] == "0":
		e.broken(s, "take-over", set(sloppyTCP, "1"),
			"connections that change the director break, though mh would send them to the same server")
	default:
		e.unset(s, sloppyTCP, "take-over",
			"a director that takes over drops open connections, though %s would send them to the same "+
				"server; matters with two directors",
			s.Config.Scheduler)
	}
}

// needed: the kernel loads schedulers and persistence engines itself, where it has them. Without IPVS nothing of the
// file can be set up, and none is missed.
func (e *examination) needed(s director.Service) {
	if e.modules.lacks("ip_vs") {
		return
	}
	for _, n := range neededModules(s.Config) {
		if e.modules.lacks(n.module) {
			e.report(s, Finding{
				Severity: broken, Kind: "missing-module", at: s.Config.At[n.directive],
				Text: "this machine's kernel has no module " + n.module +
					": the virtual service cannot be set up, or stays as it is; install the " +
					"package that has it",
			})
		}
	}
}

const ftpPort = 21

// ftp: ip_vs_ftp is the only module that the kernel does not load by itself.
func (e *examination) ftp(s director.Service) {
	v := s.Config
	isFTP := v.Protocol == parser.TCP && v.Addr.Port() == ftpPort || v.Mark != 0 && v.Service == "ftp"
	if isFTP && e.noIPVS.Kind == "" && isMasqueraded(s) && !e.ftpLoaded {
		e.broken(s, "ftp-module", "modprobe "+ftpModule,
			"data connections of FTP do not pass masq: %s is not loaded, and the kernel does not load it "+
				"by itself", ftpModule)
	}
}
