package parser

import (
	"cmp"
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"ldirectord/checker/settings"
	"ldirectord/internal/lvs"
	"ldirectord/internal/resolve"
)

// This file computes effective values: a section's own, otherwise the global ones, otherwise the defaults.

// resolver makes the configuration from the parsed sections, looks up names and reports contradictions.
type resolver struct {
	report
	globals   globals
	unwritten section // a section without any line: the defaults
	opts      Options
	sections  []*section
	names     *resolve.Table
	warned    map[resolve.Key]bool // a warning about the look-up was given
	marked    int                  // ports and ranges of mark lines so far
	reals     int                  // real servers so far
	parts     []string             // the paths of parts so far
}

// config makes the configuration from the parsed file. It is complete only if no error was reported.
func (r *resolver) config() *Config {
	c := &Config{Name: r.file, Global: r.globalConfig(), Virtuals: make([]*Virtual, len(r.sections))}
	c.blocks, r.reported = r.shared, map[reportedText]bool{}
	r.marked, r.reals = 0, 0
	c.Parts, c.Secrets = r.parts, r.globals.secrets
	seen := make(map[string]Position, len(r.sections)) // the headers so far, by ID
	all := make([]Virtual, len(r.sections))            // allocated together, which takes less memory
	for i, s := range r.sections {
		v := &all[i]
		r.virtual(v, s, &c.Global)
		c.Virtuals[i] = v
		switch first, again := seen[v.ID]; {
		case !v.hasHeader():
		case again: // reported at the line where the Perl ldirectord notices it
			r.in(s, wholeSection).add(Diagnostic{
				Severity: Error, Kind: duplicateVirtual,
				Pos: Position{s.line.file, int32(s.end), 1}, cause: s.v.At["virtual"],
				Text: fmt.Sprintf("%s of line %d is already in %s", v.ID, s.line.number,
					first.SeenFrom(s.line.begin)),
			})
		default:
			seen[v.ID] = s.line.begin
		}
	}
	r.overlaps(c)
	r.oneDevice(c)
	r.idle(c)
	r.ends(c)
	r.pageAdvice(&c.Global)
	c.Names = r.names.List()
	return c
}

func (r *resolver) globalConfig() Global {
	g := &r.globals.Global
	if !g.has("logfile") {
		g.LogFile = cmp.Or(r.opts.LogFile, g.LogFile)
	}
	g.fillTimeouts()
	r.on(int(g.At["window"].Line)).oneRule(&g.Settings)
	r.on(0).mailLogin(&g.Settings)
	g.Fallback = r.globalFallback(r.globals.fallback, false)
	g.Fallback6 = r.globalFallback(r.globals.fallback6, true)
	return *g
}

func (r *resolver) virtual(v *Virtual, s *section, global *Global) {
	inherit(global, v, &s.v)
	v.Watch.Greeters = v.has("watch")
	a := adviser{r.in(s, wholeSection), v, s, global}
	v.Key = s.Key
	v.Protocol = s.effectiveProtocol()
	v.Addr = r.address(s, v.Protocol)
	v.ID = v.Key.ID()
	if s.line.file != r.file {
		v.Part = s.line.file
	}
	v.Marking = r.markings(s)
	v.fillService(r.opts.HostName)
	a.conflicts()
	a.fillCheckVIP()

	r.fallbacks(a)

	v.Reals = make([]Real, 0, len(s.reals))
	for _, backups := range []bool{false, true} {
		for i := range s.reals {
			if s.reals[i].Backup == backups {
				r.servers(s, &s.reals[i], v)
			}
		}
	}
	a.dropBeside()
	a.moves()
	a.furtherChecks(r.opts.HostName)
	if v.hasHeader() {
		a.limit("minservers", a.MinServers)
		if a.hasBackups() {
			a.limit("backupbelow", a.BackupBelow)
		}
		a.announceable()
		a.advise()
	}
}

// hasHeader reports whether the header was accepted.
func (v *Virtual) hasHeader() bool { return v.Mark > 0 || v.Addr.IsValid() }

// fillTimeouts copies one of checktimeout and negotiatetimeout to the other if only one is written.
func (s *Settings) fillTimeouts() {
	switch check, negotiate := s.has("checktimeout"), s.has("negotiatetimeout"); {
	case check && !negotiate:
		s.NegotiateTimeout = s.CheckTimeout
	case negotiate && !check:
		s.CheckTimeout = s.NegotiateTimeout
	}
}

// fillService sets the service that the port suggests and the default log-in of ftp and sip, unless they are written.
func (v *Virtual) fillService(hostName string) {
	v.Service = cmp.Or(v.Service, guessService(v.Addr.Port()))
	switch v.Service {
	case "ftp":
		v.Login = cmp.Or(v.Login, "anonymous")
		v.Passwd = cmp.Or(v.Passwd, "ldirectord@"+hostName)
	case "sip":
		v.Login = cmp.Or(v.Login, "ldirectord@"+hostName)
	}
}

// fallbackOf returns the global fallback server for a virtual service, or nil. A mark service gets the fallback server
// for tcp.
func (g *Global) fallbackOf(v *Virtual) *Real {
	f := g.Fallback
	if v.IPv6 {
		f = g.Fallback6
	}
	if f == nil {
		return nil
	}
	one := f.TCP
	if v.Protocol == lvs.UDP {
		one = f.UDP
	}
	if !f.HasPort {
		one.Addr = netip.AddrPortFrom(one.Addr.Addr(), v.Addr.Port())
	}
	return &one
}

// PortOf returns the port at which a real server is checked, or 0 if it has none.
func (v *Virtual) PortOf(real *Real) int {
	return cmp.Or(v.CheckPort, int(real.Addr.Port()), int(settings.ServiceOf(v.Service).Port))
}

// EntryOf returns the address and port of a server in the kernel's table. With direct routing and tunnelling the kernel
// keeps the packet's port, so the entry has the port of the virtual service (ipvsadm(8), -r), unless that is a firewall
// mark.
func (v *Virtual) EntryOf(real *Real) netip.AddrPort {
	if real.Forward == lvs.Masq || v.Protocol == lvs.Mark {
		return real.Addr
	}
	return netip.AddrPortFrom(real.Addr.Addr(), v.Addr.Port())
}

// Asks returns the request to a real server and the pattern for its answer. They are from the server's line, or else
// from the section. The line's strings apply only to the section's own check, see Checks.
func (v *Virtual) Asks(real *Real) (request, receive string) {
	if v.takesOwn(real) {
		return real.Own.Request, real.Own.Receive
	}
	return v.Request, v.Receive
}

func (v *Virtual) takesOwn(real *Real) bool { return real.Own != nil && !v.isAlso }

// URL returns the URL of an http check. For http_proxy, the section's request is the URL. A whole URL in the server's
// own line is used as written. Any other request is only a path.
func (v *Virtual) URL(real *Real) string {
	scheme := v.Service
	if scheme == "http_proxy" {
		scheme = "http"
	}
	request, _ := v.Asks(real)
	path, own := strings.TrimPrefix(request, "/"), v.takesOwn(real)
	if own && strings.Contains(path, scheme+"://") || !own && v.Service == "http_proxy" {
		return path
	}
	port := ""
	if number := v.PortOf(real); number > 0 {
		port = strconv.Itoa(number)
	}
	return scheme + "://" + lvs.FormatAddr(real.Addr.Addr()) + ":" + port + "/" + path
}

// guessService returns the service that the Perl ldirectord assumes for a port, or "none".
func guessService(port uint16) string {
	for s := range settings.Services() {
		if s.Port == port && port != 0 && !s.Is(settings.Extension) {
			return s.Name
		}
	}
	return "none"
}
