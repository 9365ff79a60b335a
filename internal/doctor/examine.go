package doctor

// This file finds problems of the director itself.

import (
	"cmp"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"

	"ldirectord/internal/lvs"
	"ldirectord/internal/plan"
	"ldirectord/parser"
)

// examination compares virtual services with facts.
type examination struct {
	facts
	findings
	path  string // of the configuration
	early bool   // for check and plan: the machine may not serve yet
}

// one examines one virtual service.
type one struct {
	*examination
	*plan.Service
	*parser.Virtual // its Config
}

func (e *examination) of(s *plan.Service) one {
	return one{examination: e, Service: s, Virtual: s.Config}
}

// examine returns all findings about the services, without duplicates.
func examine(facts facts, path string) []Finding {
	e := &examination{facts: facts, path: path}
	for _, s := range e.services {
		x := e.of(s)
		if e.noIPVS.Kind != "" {
			x.report(e.noIPVS)
		}
		x.shared()
		x.addresses()
		x.marking()
		x.forwarding()
		x.cards()
		x.behindRouter()
		x.answers()
		x.tunnels()
		if e.nat != "" && isMasqueraded(s) && e.settings[vsConntrack] == "0" {
			x.tell("conntrack", e.nat)
		}
		x.pingsAndMails()
		x.unset()
		x.forgets()
		x.announced()
		x.needed()
		x.own()
		x.through()
		x.reaches()
		for _, what := range e.daemon.Differing[x.ID] {
			x.tell("differs", what)
		}
	}
	e.left()
	e.fills()
	e.changed()
	slices.SortStableFunc(e.list, bySeverity)
	return e.list
}

// changed reports that the file, or a list of real servers, is not in force in the running daemon.
func (e *examination) changed() {
	if e.daemon.Changed != "" {
		e.add(finding("not-in-force", e.daemon.Changed, e.daemon.Again))
	}
	for _, list := range e.daemon.Lists {
		e.add(finding("not-in-force list", list))
	}
}

// report adds a finding for a virtual service. The finding gets the place of its directive, or else keeps its own, or
// else gets that of the section's header.
func (x one) report(f Finding) {
	f.Virtuals = []string{x.ID}
	x.add(f.in(cmp.Or(x.At[f.directive], f.at, x.At["virtual"])))
}

// tell adds a finding from findings.txt about this virtual service.
func (x one) tell(name string, values ...any) { x.report(finding(name, values...)) }

// addresses finds virtual addresses that this machine lacks or does not answer for. Packets reach IPVS only if the
// machine accepts them as its own. Clients on the same network find the machine only if it answers for the address.
func (x one) addresses() {
	for _, p := range x.Addresses() {
		switch {
		case !x.ends(p):
			x.lacks(p)
		case p.IsSingleIP():
			x.silence(p)
		}
	}
}

// lacks reports a virtual address that this machine does not accept as its own.
func (x one) lacks(p netip.Prefix) {
	for _, d := range x.devices {
		for _, failed := range d.failed {
			if p == single(failed.Addr()) {
				x.tell("virtual-address duplicate", failed.Addr(), d.Name, failed, x.addAddress(p))
				return
			}
		}
	}
	x.tell("virtual-address", addressIn(p), x.addAddress(p))
}

// ends reports whether this machine accepts packets to an address as its own. In a network, one such address is enough.
// If the route is unknown, it returns true. It also returns true for announced addresses, which the daemon itself sets
// up.
func (x one) ends(p netip.Prefix) bool {
	r, known := x.routes[routeQuery{p.Addr(), x.Mark}]
	return !known || r.local || slices.Contains(x.Announced(), p.Addr()) ||
		slices.ContainsFunc(x.devices, func(d device) bool { return d.has(p) })
}

// addressIn describes a virtual address, or an address in a virtual network.
func addressIn(p netip.Prefix) string {
	if p.IsSingleIP() {
		return p.Addr().String()
	}
	return "an address of " + p.String()
}

func (e *examination) addAddress(p netip.Prefix) string {
	if !p.IsSingleIP() {
		return fmt.Sprintf("ip route add local %s dev lo", p)
	}
	device := cmp.Or(e.deviceOf(p.Addr(), net.FlagUp), e.route(p.Addr()).device, "lo")
	command := fmt.Sprintf("ip address add %s dev %s", p, device)
	if p.Addr().Is6() {
		command += " nodad preferred_lft 0" // usable at once, and not as a source, because servers also have it
	}
	return command
}

// deviceOf returns the first device with these flags that has the network of an address, or "" if there is none.
func (e *examination) deviceOf(addr netip.Addr, flags net.Flags) string {
	for _, d := range e.devices {
		if d.is(flags) && d.isIn(addr) {
			return d.Name
		}
	}
	return ""
}

// silence finds a virtual address for which the director does not answer on the network. For IPv4, such an address is
// only on lo or only in a local route, and arp_ignore is set, as on a real server. For IPv6, the kernel answers
// neighbour discovery only on the interface that has the address. That interface may be a macvlan with no other address
// of the network.
func (x one) silence(vip netip.Prefix) {
	on := x.deviceOf(vip.Addr(), net.FlagUp)
	name, mayBeSilent := "director-silent", x.deviceSetting(on, arpIgnore) >= "1"
	answers := func(d device) bool { return !d.is(net.FlagLoopback) && d.has(vip) }
	if vip.Addr().Is6() {
		name = "director-silent IPv6"
		mayBeSilent = slices.ContainsFunc(x.devices, func(d device) bool { return d.has(vip) })
		answers = func(d device) bool { // lo has no hardware address
			return d.has(vip) && (len(d.HardwareAddr) > 0 || d.isIn(vip.Addr()))
		}
	}
	if on != "" && mayBeSilent && !isAnnounced(x.Service) && !slices.ContainsFunc(x.devices, answers) {
		x.tell(name, vip.Addr(), on, vip)
	}
}

// pingAt returns the position of a virtual service's first ping check. Without one, Line is 0.
func pingAt(s *plan.Service) (at parser.Position) {
	for _, check := range s.Config.Checks() {
		if check.Pings() || check.PingsTheSilent() {
			return cmp.Or(check.At["checktype"], check.At["virtual"])
		}
	}
	return at
}

// pingsAndMails finds checks and mails that need something this machine lacks. If the daemon may not send pings,
// servers that are checked by ping keep their states. Mail without an SMTP server needs a local mail program.
func (x one) pingsAndMails() {
	if at := pingAt(x.Service); x.noPing && at.Line > 0 {
		x.report(finding("no-ping").in(at))
	}
	if x.noMail && x.Mail.To != "" && x.Mail.SMTP == "" {
		x.tell("no-mail")
	}
}

// unset finds kernel settings that are 0 and should be 1.
func (x one) unset() {
	tcp := mayBeTCP(x.Virtual)
	forwarded := slices.ContainsFunc(x.Entries, func(m *plan.Entry) bool { return !isMasq(m) })
	// a director that takes over lacks the open connections
	steady := tcp && forwarded && (x.Scheduler == "mh" || x.Scheduler == "sh")
	announced, takeOver := isAnnounced(x.Service), "take-over "+x.Scheduler
	if x.Scheduler == "mh" && announced {
		takeOver = "take-over announced"
	}
	stays, ends, lost := x.Quiescent, !x.Quiescent, "lost-connections"
	if x.OnFail != lvs.ByQuiescent {
		stays, ends, lost = x.OnFail.Stays(), x.OnFail.Ends(), "lost-connections onfail"
	}
	for _, row := range []struct {
		applies       bool
		name, setting string
	}{
		{x.Persistent > 0 && stays, "sticky-quiescent", expireTemplate},
		{ends && len(x.Virtual.Reals) > 0, lost, expireNoDest},
		{x.Observe != lvs.NotObserved, "blind-observe", estimation},
		{tcp && x.CheckVIP.IsValid(), "port-reuse checkvip", connReuse},
		// with conntrack, kernels before 5.9 lose a second for each reused port
		{tcp && !x.CheckVIP.IsValid() && x.settings[vsConntrack] != "1", "port-reuse", connReuse},
		{steady && (announced || !x.early), takeOver, sloppyTCP},
	} {
		if row.applies && x.settings[row.setting] == "0" {
			x.tell(row.name)
		}
	}
}

// mayBeTCP reports whether clients may use TCP.
func mayBeTCP(v *parser.Virtual) bool {
	isTCP := func(m parser.Marking) bool { return m.Protocol != "udp" }
	return v.Protocol != lvs.UDP && (len(v.Marking) == 0 || slices.ContainsFunc(v.Marking, isTCP))
}

// keepalive is the number of seconds after which most systems probe an idle TCP connection with keepalive enabled.
// remembered is a timeout that is safely longer.
const keepalive, remembered = 7200, 7500

// forgets finds a timeout so short that the kernel forgets idle connections before the clients do. It ignores web
// services, because web servers close idle connections even sooner. It also ignores a timeout that is set in the file,
// because that is intended.
func (x one) forgets() {
	idle, isOrdered := x.idle[0], x.ordered[0] > 0
	if !isOrdered && idle > 0 && idle <= keepalive && mayBeTCP(x.Virtual) &&
		!strings.HasPrefix(x.Virtual.Service, "http") {
		x.tell("idle-timeout", idle, keepalive, remembered)
	}
}

const ftpPort = 21

// needed finds missing kernel modules. The kernel itself loads the modules of schedulers and persistence engines, but
// not ip_vs_ftp, which must be loaded already. If the kernel has no IPVS, needed finds nothing, because the other
// modules don't matter then.
func (x one) needed() {
	for _, row := range []struct {
		applies           bool
		directive, module string
	}{
		{x.Scheduler != "none", "scheduler", "ip_vs_" + x.Scheduler}, // with none, the kernel uses no scheduler
		{x.PEName != "" && x.Persistent > 0, "pename", "ip_vs_pe_" + x.PEName},
		{len(x.Marking) > 0, "mark", "xt_mark"},
		{
			slices.ContainsFunc(x.Marking, func(m parser.Marking) bool { return len(m.Ports) > 0 }),
			"mark", "xt_multiport",
		},
	} {
		if row.applies && x.modules.lacks(row.module) && !x.modules.lacks("ip_vs") {
			x.report(finding("missing-module", row.module).in(x.At[row.directive]))
		}
	}
	isFTP := x.Protocol == lvs.TCP && x.Addr.Port() == ftpPort || x.Mark != 0 && x.Virtual.Service == "ftp"
	if isFTP && !x.early && x.noIPVS.Kind == "" && isMasqueraded(x.Service) && !x.ftpLoaded {
		x.tell("ftp-module", ftpModule)
	}
}
