package doctor

import (
	"fmt"
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
	faults   []Finding
	known    map[string]int // the place of each
}

// examine finds what is not as the services need it: what keeps traffic from flowing first, each once.
func examine(services []director.Service, facts facts, path string) []Finding {
	e := &examination{facts: facts, services: services, path: path, known: map[string]int{}}
	for _, s := range services {
		e.ipvs(s)
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
	slices.SortStableFunc(e.faults, func(a, b Finding) int { return strings.Compare(a.Severity, b.Severity) })
	return e.faults
}

func (e *examination) add(s director.Service, severity, kind, command, format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	key := kind + "\n" + text + "\n" + command
	i, known := e.known[key]
	if !known {
		e.known[key] = len(e.faults)
		e.faults = append(e.faults, Finding{severity, kind, []string{s.Config.ID}, text, command})
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
	for _, p := range s.Config.Addresses() {
		switch {
		case !e.ends(p, s.Config.Mark):
			e.add(s, broken, "virtual-address", e.addAddress(p), "%s", offMachine(p))
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
	e.add(s, broken, "director-silent", fmt.Sprintf("ip address add %s/32 dev %s", addr, device),
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
		severity := warning
		if d.Kind == "mark-unset" || d.Kind == "mark-unsettable" {
			severity = broken
		}
		e.add(s, severity, d.Kind, "", "%s", d.Text)
	}
}

// translation: rules of NAT see the packets of IPVS only when conntrack does.
func (e *examination) translation(s director.Service) {
	if e.nat != "" && e.settings[vsConntrack] == "0" && isMasqueraded(s) {
		e.add(s, warning, "conntrack", set(vsConntrack, "1"),
			"rules of NAT do not act on what IPVS forwards, which conntrack does not see: %s", e.nat)
	}
}

// templates: known clients are sent to a server of weight 0 as long as their persistence lasts.
func (e *examination) templates(s director.Service) {
	if isSticky(s.Config) && e.settings[expireTemplate] == "0" {
		e.add(s, warning, "sticky-quiescent", set(expireTemplate, "1"), "%s", stickyText)
	}
}

// removed: what goes to a server that was taken out is dropped in silence until the connection times out.
func (e *examination) removed(s director.Service) {
	if !s.Config.Quiescent && len(s.Config.Reals) > 0 && e.settings[expireNoDest] == "0" {
		e.add(s, warning, "lost-connections", set(expireNoDest, "1"),
			"without quiescent a failed server is removed, and its open connections hang until they time out instead of ending at once")
	}
}

// reuse: a client's port may come again while the old connection is still known.
func (e *examination) reuse(s director.Service) {
	slow := e.settings[vsConntrack] == "1" // kernels before 5.9 then lose a second on each such port
	if s.Config.Protocol != parser.UDP && e.settings[connReuse] == "0" && !slow {
		e.add(s, warning, "port-reuse", set(connReuse, "1"),
			"a client that uses a port again is sent to its old server, even to one of weight 0")
	}
}

// takeOver: another director that takes over knows none of the open connections.
func (e *examination) takeOver(s director.Service) {
	steady := s.Config.Scheduler == "sh" || s.Config.Scheduler == "mh"
	forwarded := slices.ContainsFunc(s.Members, func(m director.Member) bool { return m.Dest.Forward != ipvsctl.Masq })
	if steady && forwarded && s.Config.Protocol != parser.UDP && e.settings[sloppyTCP] == "0" {
		e.add(s, warning, "take-over", set(sloppyTCP, "1"),
			"a director that takes over drops open connections, though %s would send them to the same server; matters with two directors", s.Config.Scheduler)
	}
}

// ipvs: without it nothing can be set up.
func (e *examination) ipvs(s director.Service) {
	if e.noIPVS.why != "" {
		e.add(s, broken, "no-ipvs", e.noIPVS.command, "%s", e.noIPVS)
	}
}

// needed: the kernel loads schedulers and persistence engines itself, where it has them, but not ip_vs_ftp.
func (e *examination) needed(s director.Service) {
	if e.noIPVS.why != "" {
		return
	}
	for _, n := range neededModules(s.Config) {
		if e.modules.lacks(n.module) {
			e.add(s, broken, "missing-module", "", "%s; install the package that has it", n)
		}
	}
	if isFTP(s.Config) && isMasqueraded(s) && !e.loaded[ftpModule] {
		e.add(s, broken, "ftp-module", "modprobe "+ftpModule, "data connections of FTP do not pass masq: %s is not loaded, and the kernel does not load it by itself", ftpModule)
	}
}

const ftpPort = 21

func isFTP(v *parser.Virtual) bool {
	return v.Protocol == parser.TCP && v.Addr.Port() == ftpPort || v.Mark != 0 && v.Service == "ftp"
}
