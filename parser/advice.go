package parser

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"ldirectord/checker/settings"
	"ldirectord/internal/lvs"
)

// advise warns of settings that have no effect or are probably mistakes, and refuses a few of them.
func (a adviser) advise() {
	a.phase = advice
	for _, check := range a.Checks() {
		adviser{a.finder, check, a.s, a.global}.check()
	}
	a.commands()
	a.connectErrors()
	a.ports()
	a.kernel()
	a.servers()
	a.guard()
	a.pacesOut()
	a.watches()
	a.observes()
	a.checkVIP()
	a.announced()
	a.fallback()
	a.idle()
	a.unused()
}

// adviser finds contradictions and oddities in a section, or in one of its checks.
type adviser struct {
	finder
	*Virtual
	s      *section
	global *Global
}

// place returns the position of the directive in the section. If the section does not have it, place returns the
// position of the section's header.
func (a adviser) place(directive string) Position { return cmp.Or(a.At[directive], a.At["virtual"]) }

// remark adds a warning at the directive in the section, or at the section's header if the directive is not written
// there.
func (a adviser) remark(directive, kind, format string, args ...any) {
	a.warn(kind, a.place(directive), format, args...)
}

// refuse adds an error at the first of these positions that exists: the directive in the section, the global directive,
// the section's header.
func (a adviser) refuse(directive, kind, format string, args ...any) {
	a.error(kind, cmp.Or(a.At[directive], a.global.At[directive], a.At["virtual"]), format, args...)
}

// when warns if a condition is true.
func (a adviser) when(condition bool, directive, kind, format string, args ...any) {
	if condition {
		a.remark(directive, kind, format, args...)
	}
}

func (a adviser) check() {
	negotiates, service := a.Negotiates(), settings.ServiceOf(a.Service)
	if a.runsCommand() && !a.has("checkcommand") {
		directive := "checktype"
		if a.isAlso {
			directive = "alsocheck"
		}
		a.remark("checktype", suspicious, "%s=%s without a checkcommand runs %s, so every server is up",
			directive, a.CheckType, a.CheckCommand)
	}
	a.when(a.CheckType == Negotiate && a.Service == "none" && !a.has("service"), "virtual", suspicious,
		"no service is given and the port suggests none: a negotiate check then passes for every server; set "+
			"service or checktype")
	a.when(a.HTTPMethod == "HEAD" && a.Receive != "" && negotiates, "receive", suspicious,
		"an answer to HEAD has no body, so it never matches receive")
	a.when((a.Service == "http" || a.Service == "https") && strings.Contains(a.Request, "://"), "request",
		suspicious,
		"each server is asked for this URL as a path; a whole URL is allowed only with http_proxy, or in the "+
			"strings of a real server")
	a.when(negotiates && a.Protocol == lvs.UDP && !service.Is(settings.ByUDP) && a.CheckPort == 0,
		"service", suspicious,
		"service=%s is checked over TCP, which does not show whether clients are served over udp; to "+
			"check another service on the server, set checkport", a.Service)
	a.when(a.asksPort() && slices.ContainsFunc(a.Reals, a.hasNoPort), "checktype", suspicious,
		"real servers have no port to check; it must come from checkport, the real server or the service")
	// The server may request the password in clear text, and the file neither allows nor forbids it.
	a.when(negotiates && a.Passwd != "" && !a.has("cleartext") && service.Takes("cleartext"), "passwd", suspicious,
		"the password goes to %s in clear text if the server asks for that; "+
			"to prevent this, use cleartext=no; to accept it, cleartext=yes", a.Service)
}

// commands warns of mistakes that concern all checks of the section.
func (a adviser) commands() {
	a.when(a.has("checkcommand") && !slices.ContainsFunc(a.Checks(), (*Virtual).runsCommand), "checkcommand",
		noEffect,
		"checkcommand has an effect only with checktype=external or external-perl")
	isExternal := func(check *Virtual) bool { return check.CheckType == External }
	a.when(a.has("checkargs") && !slices.ContainsFunc(a.Checks(), isExternal), "checkargs", noEffect,
		"checkargs has an effect only with checktype=external")
	a.when(a.has("silence") && !slices.ContainsFunc(a.Checks(), (*Virtual).asksByDatagram), "silence", noEffect,
		"silence has an effect only with protocol=udp and checktype=connect or service=simpletcp")
	a.when(a.has("checkport") && (a.CheckType == Ping || a.runsCommand()), "checkport", noEffect,
		"checkport has no effect with checktype=%s", a.CheckType)
	a.when(a.has("checkinterval") && !a.global.Fork, "checkinterval", ownInterval,
		"the section's checkinterval applies; the Perl ldirectord ignores it unless fork=yes")
}

// maxConnectErrors is the default of MySQL's max_connect_errors.
const maxConnectErrors = 100

// connectErrors warns of connect checks that make MySQL lock the director out. A log-in resets MySQL's count of them.
func (a adviser) connectErrors() {
	checks := a.Checks()
	mysql := slices.IndexFunc(checks, func(c *Virtual) bool { return c.Service == "mysql" && c.Negotiates() })
	if mysql < 0 || len(a.Reals) == 0 {
		return
	}
	port := checks[mysql].PortOf(&a.Reals[0])
	for _, c := range checks {
		connects := c.CheckType == Connect || c.NumConnects >= maxConnectErrors
		if connects && c.PortOf(&a.Reals[0]) == port {
			a.warn(suspicious, cmp.Or(c.At["checktype"], a.At["virtual"]), "MySQL counts each connect "+
				"check as an error; only a log-in resets the count, and after max_connect_errors, "+
				"%d by default, it refuses this director", maxConnectErrors)
		}
	}
}

// useless warns that a global directive has no effect, if the directive is in the file.
func (r *resolver) useless(directive, text string) {
	if pos, written := r.globals.At[directive]; written {
		r.on(int(pos.Line)).warn(noEffect, pos, "%s", text)
	}
}

// pageAdvice warns of statuspage without listen, and of statushost without statuspage.
func (r *resolver) pageAdvice(g *Global) {
	if g.StatusPage && !g.Listen.IsValid() {
		r.useless("statuspage", "statuspage has no effect without listen")
	}
	if g.StatusHost != "" && !g.StatusPage {
		r.useless("statushost", "statushost has no effect without statuspage=yes")
	}
}

// idle lists directives that may have no effect, global or in a section. why returns the reason why the directive has
// no effect in a section, or "" if it has an effect or is off.
var idle = []struct {
	name string
	why  func(adviser) string
}{
	{"fastinterval", adviser.neverFast}, {"fallbackcheck", adviser.neverChecksFallback},
	{"lastresort", func(a adviser) string { return a.onlyAnnounced("lastresort", a.LastResort != "") }},
	{"announceaddress", func(a adviser) string {
		return a.onlyAnnounced("announceaddress", len(a.AnnounceAddress) > 0)
	}},
	{"withdrawwait", func(a adviser) string { return a.onlyAnnounced("withdrawwait", true) }},
	{"withdrawon", func(a adviser) string {
		return a.onlyAnnounced("withdrawon", a.global.WithdrawOn == "broken")
	}},
}

// idle warns of directives in the section that have no effect.
func (a adviser) idle() {
	for _, d := range idle {
		text := d.why(a)
		a.when(text != "" && a.has(d.name), d.name, noEffect, "%s", text)
	}
}

// idle warns of global directives that have no effect in any section that inherits them.
func (r *resolver) idle(c *Config) {
	for _, d := range idle {
		last, isOwn := "", false
		for _, v := range c.Virtuals {
			if v.has(d.name) {
				isOwn = isOwn || v.Announce != ""
				continue
			}
			if last = d.why(adviser{Virtual: v, global: &c.Global}); last == "" {
				break
			}
		}
		if isOwn && last == d.name+onlyWithAnnounce {
			last = d.name + " has an effect only in a section with announce that does not set it itself"
		}
		if last != "" {
			r.useless(d.name, last)
		}
	}
}

// neverFast returns the reason why the fastinterval of a virtual service has no effect, or "".
func (v *Virtual) neverFast() string {
	switch {
	case v.FastInterval == 0:
	case v.FastInterval >= v.CheckInterval:
		return fmt.Sprintf("fastinterval has no effect: it is not shorter than checkinterval, %v",
			v.CheckInterval.Duration())
	case v.FailureCount == 1 && v.RiseCount == 1 && v.Window.Of == 0:
		return "fastinterval has no effect where one result decides; it needs failurecount, risecount or window"
	}
	return ""
}

// ports warns of marked ports that no check uses, except for those in ranges. It does not warn if a check runs a
// command, or if no check uses a port. It also does not warn if the section's only check has a checkport, because that
// port may have been chosen on purpose.
func (a adviser) ports() {
	checks := a.Checks()
	if len(a.AlsoChecks) == 0 && a.has("checkport") || slices.ContainsFunc(checks, (*Virtual).runsCommand) {
		return
	}
	var at Position
	var unasked []string
	asked := a.askedPorts(checks)
	for _, m := range a.Marking {
		for _, p := range m.Ports {
			if p.First != p.Last || slices.Contains(asked, p.String()) ||
				slices.Contains(unasked, p.String()) {
				continue
			}
			unasked, at = append(unasked, p.String()), cmp.Or(at, m.At)
		}
	}
	if len(unasked) == 0 || len(asked) == 0 {
		return
	}
	by := "the check asks only port " + asked[0]
	if len(a.AlsoChecks) > 0 {
		by = "the checks ask only " + Enumerate(asked)
	}
	if more := len(unasked) - maxListed; more > 1 {
		unasked = append(unasked[:maxListed], fmt.Sprintf("%d others", more))
	}
	a.warn(suspicious, at,
		"%s, so a server whose port %s does not answer stays in service; alsocheck checks another port, "+
			"checkport selects the port that decides for all, checktype=external runs your own check", by,
		strings.Join(unasked, " or "))
}

// askedPorts returns the server ports that checks use.
func (a adviser) askedPorts(checks []*Virtual) (ports []string) {
	for _, check := range checks {
		if !check.asksPort() {
			continue
		}
		for i := range a.Reals {
			if port := strconv.Itoa(check.PortOf(&a.Reals[i])); port != "0" &&
				!slices.Contains(ports, port) {
				ports = append(ports, port)
			}
		}
	}
	return ports
}

func (a adviser) kernel() {
	persists := a.Persistent > 0
	a.when(a.OnePacket && a.Protocol != lvs.UDP, "ops", noEffect, "ops applies only to udp")
	a.when(a.Netmask != (Netmask{}) && !persists, "netmask", noEffect, "netmask has an effect only with persistent")
	a.when(a.PEName != "" && !persists, "pename", noEffect, "pename has an effect only with persistent")
	a.when(a.Protocol != lvs.Mark && a.Addr.Port() == 0 && !persists, "virtual", suspicious,
		"the kernel accepts port 0 (all ports) only with persistent; this virtual service is not set up")
	setsZero := "drainstatus"
	switch {
	case a.Quiescent:
		setsZero = "quiescent=yes"
	case a.OnFail.Stays():
		setsZero = "onfail=" + a.OnFail.String()
	}
	flags, _ := lvs.ParseSchedFlags(a.Scheduler, a.SchedFlags) // the plan refuses a wrong list
	refuses := lvs.Settings{Scheduler: a.Scheduler, Flags: flags}.RefusesClientsOfTheDown()
	a.when((a.Quiescent || a.OnFail.Stays() || a.DrainStatus != "") && refuses, "scheduler", suspicious,
		"with %s, scheduler %s refuses clients whose server is out of service; "+
			"schedflags=%[2]s-fallback sends them to other servers", setsZero, a.Scheduler)
	if i := slices.IndexFunc(a.Marking, func(m Marking) bool { return m.Protocol != "udp" }); i >= 0 &&
		a.PEName != "" && persists {
		a.remark("pename", suspicious,
			"pename=sip works only with udp; the kernel drops the other packets that %s marks",
			a.Marking[i].At.SeenFrom(a.At["pename"]))
	}
}

// isFixed reports whether realLine.isFixed is true for the line of a server.
func (a adviser) isFixed(real *Real) bool {
	for i := range a.s.reals { // a list has a realLine for each server; the first is enough
		if l := &a.s.reals[i]; l.At == real.At {
			return l.isFixed()
		}
	}
	return false
}

// severityOf reports whether lines of servers are wrong, and how severe that is. A mistake in a list is only a warning
// at a start, because a refused file would keep the director down. At a reload it is still a warning if the section in
// force was accepted with such a mistake (see lenient).
func (a adviser) severityOf(isWrong func(*realLine) bool) (severity Severity, found bool) {
	for i := range a.s.reals {
		l := &a.s.reals[i]
		if l.problem != nil || !isWrong(l) {
			continue
		}
		if found = true; l.list == "" {
			return Error, true
		}
	}
	if was := a.inForce[a.ID]; a.inForce == nil || was != nil && was.lenient {
		a.lenient = a.lenient || found
		return Warning, found
	}
	return Error, found
}

func (a adviser) servers() {
	a.when(a.has("realnames") && a.global.Resolve == 0, "realnames", suspicious,
		"without resolve = TIME, the names in realnames are looked up only when the file is read")
	if len(a.s.reals) == 0 {
		a.remark("virtual", suspicious, "the virtual has no real server")
		return
	}
	own, weighted := a.own()
	a.when(own == 0 && a.hasBackups(), "backup", suspicious,
		"the section has only backups, which are then always in service; add the servers that they replace "+
			"as real")
	a.when(own > 0 && weighted == 0 && !a.hasBackups() && a.CheckType != Off, "virtual", suspicious,
		"every real server has weight 0: while one passes its checks, clients get nothing, not even from the "+
			"fallback; to take a server out of service, use drain")
	before := map[netip.AddrPort]*Real{} // the entries so far; without a size, a small map needs no heap
	for i := range a.Reals {
		real := &a.Reals[i]
		entry := a.EntryOf(real)
		if other := before[entry]; other != nil {
			a.oneEntry(real, other)
		}
		before[entry] = real
		a.server(real)
	}
}

// oneEntry reports a server that shares its entry in the kernel's table with an earlier server.
func (a adviser) oneEntry(real, other *Real) {
	at := other.At.SeenFrom(real.At)
	switch entry := a.EntryOf(real); {
	case real.Backup && !other.Backup && real.Named == nil && other.Named == nil:
		severity := Warning
		if a.isFixed(real) && a.isFixed(other) {
			severity = Error
		}
		a.tell(severity, conflict, real.At,
			"the backup %s is also the real server of %s; a backup must be another server",
			real.Addr, at)
	case entry == real.Addr:
		a.warn(repeated, real.At,
			"the real server %s is already in this virtual, in %s; the kernel has it only once",
			real.Addr, at)
	default:
		a.warn(repeated, real.At,
			"with %s, the kernel has one entry, %s, for this server and the one in %s; only masq "+
				"changes the port", real.Forward, entry, at)
	}
}

// server warns of settings of a server that the kernel refuses or ignores.
func (a adviser) server(real *Real) {
	switch {
	case real.Lower <= real.Upper:
	case real.Upper == 0:
		a.warn(suspicious, real.At,
			"the lower threshold %d is given without an upper one; the kernel refuses such a server",
			real.Lower)
	default:
		a.warn(suspicious, real.At,
			"the lower threshold %d is above the upper one, %d; the kernel refuses such a server",
			real.Lower, real.Upper)
	}
	addr, onTrial := real.Addr.Addr(), a.Addr.Addr().IsLoopback()
	if real.Forward == lvs.Masq && real.Named == nil && addr.IsLoopback() && !onTrial {
		a.warn(suspicious, real.At, MasqLoopback+" %s: "+
			"the kernel drops their packets; use gate for a server on this machine", addr)
	}
	a.keptPort(noEffect, "server", real)
}

// MasqLoopback begins a warning of the parser and one of ldirectord doctor.
const MasqLoopback = "with masq, clients on other machines can't reach"

// own counts the servers of a section that are not backups, and those of them that have a weight above 0.
func (v *Virtual) own() (servers, weighted int) {
	count := func(isBackup bool, weight int) {
		if !isBackup {
			servers++
			weighted += min(weight, 1)
		}
	}
	for i := range v.Reals {
		count(v.Reals[i].Backup, v.Reals[i].Weight)
	}
	for _, w := range v.Waiting {
		count(w.Backup, w.Weight)
	}
	return servers, weighted
}

// guard warns of a keepserving that prevents checks from removing any server. It accepts 100%, because that is
// explicit.
func (a adviser) guard() {
	keeps := a.KeepServing
	_, servers := a.own()
	a.when(servers > 0 && keeps.Of(servers) >= servers && keeps.String() != "100%", "keepserving", suspicious,
		"keepserving = %s covers all servers of the section (%d): checks take out none, and the fallback "+
			"server is never added; if you want that, write 100%%", keeps, servers)
}

// checkVIP warns of the first server to which checkvip does not apply, and of a checkvip that is not an address of the
// section.
func (a adviser) checkVIP() {
	vip, addresses := a.CheckVIP, a.Addresses()
	if !vip.IsValid() {
		return
	}
	if i := slices.IndexFunc(a.Reals, func(r Real) bool { return r.Forward == lvs.Masq }); i >= 0 {
		a.warn(noEffect, a.Reals[i].At,
			"checkvip is for gate and ipip: a masq server does not have the virtual address and is "+
				"checked at its own address")
	}
	isOwn := slices.ContainsFunc(addresses, func(p netip.Prefix) bool { return p.Contains(vip) })
	a.when(len(addresses) > 0 && !isOwn, "checkvip", suspicious,
		"checkvip = %s is not an address of %s: a server without this address is down, even if it serves "+
			"clients",
		vip, a.ID)
}

// keptPort warns if the kernel does not use the port that the file gives a server, because direct routing and
// tunnelling do not change packets. It does not warn if the virtual service has a loopback address, because such a
// service is a trial on one machine.
func (a adviser) keptPort(kind, what string, real *Real) {
	if !a.Addr.Addr().IsLoopback() && a.Addr.Port() != 0 && real.Addr.Port() != 0 && a.EntryOf(real) != real.Addr {
		a.warn(kind, real.At, "with %s clients reach the %s at port %d, not %d; only masq changes the port",
			real.Forward, what, a.Addr.Port(), real.Addr.Port())
	}
}

func (a adviser) fallback() {
	if !a.HasOwnFallback() {
		return
	}
	if len(a.AllFallbacks) > 1 && a.FallbackCheck == "no" {
		a.remark("alsofallback", noEffect,
			"alsofallback has no effect without fallbackcheck: only the first fallback serves")
	}
	f := &a.AllFallbacks[0]
	if a.CheckType == On {
		a.warn(noEffect, f.At, "with checktype=on no server ever goes down, so the fallback is never used")
	}
	a.keptPort(suspicious, "fallback", f)
	if i := slices.IndexFunc(a.Reals, func(r Real) bool { return r.Addr == f.Addr }); i >= 0 {
		a.warn(suspicious, f.At, "the fallback is also the real server of %s; if that server "+
			"is down, so is the fallback",
			a.Reals[i].At.SeenFrom(f.At))
	}
}
