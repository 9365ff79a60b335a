package parser

import (
	"cmp"
	"fmt"
	"math"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// This file fills the gaps: from a section to the globals to the defaults.

// config makes the configuration of what was read. It is whole only when no error was reported.
func (r *reader) config() *Config {
	c := &Config{Name: r.file, Global: r.globalConfig(), Virtuals: make([]Virtual, len(r.sections))}
	r.places = make(map[netip.AddrPort]serverPlace, r.countReals())
	seen := make(map[virtualKey]int, len(r.sections))
	for i, s := range r.sections {
		v := &c.Virtuals[i]
		r.virtual(v, s, &c.Global)
		if s.broken {
			continue
		}
		key := virtualKey{v.Protocol, v.Addr, v.Mark, v.IPv6}
		if first, ok := seen[key]; ok {
			r.duplicate(s, v.ID, first)
			continue
		}
		seen[key] = s.line.number
	}
	r.overlaps(c)
	c.Names = r.names.list()
	return c
}

// virtualKey is what two virtual services may not have in common.
type virtualKey struct {
	protocol Protocol
	addr     netip.AddrPort
	mark     uint32
	ipv6     bool
}

// duplicate reports a virtual service that exists already, at the line where the reference notices.
func (r *reader) duplicate(s *section, id string, first int) {
	r.add(s.place(wholeSection), Diagnostic{
		Severity: Error, Kind: duplicateVirtual, Pos: Position{s.end, 1}, cause: s.at["virtual"],
		Text: fmt.Sprintf("the virtual in line %d is the same as the one in line %d, %s; each protocol, address and port or mark has one",
			s.line.number, first, id),
	})
}

func (r *reader) globalConfig() Global {
	g := &r.globals
	t := times{
		check:     cmp.Or(g.checkTimeout, g.negotiateTimeout, defaultCheckTimeout),
		negotiate: cmp.Or(g.negotiateTimeout, g.checkTimeout, defaultNegotiateTimeout),
		interval:  cmp.Or(g.checkInterval, defaultCheckInterval),
		mail:      g.mailFreq,
	}
	if !g.has("emailalertstatus") {
		g.mailStatus = MailAll
	}
	if !g.has("logfile") {
		g.logFile = cmp.Or(g.opts.LogFile, defaultLogFile)
	}
	r.oneRule(&g.scope, place{block: g.at["window"].Line})
	return Global{
		CheckTimeout:     seconds(t.check),
		NegotiateTimeout: seconds(t.negotiate),
		CheckInterval:    seconds(t.interval),
		CheckCount:       asInt(g.checkCount, defaultCount),
		FailureCount:     asInt(g.failureCount, defaultCount),
		AutoReload:       g.autoReload == yes,
		Callback:         g.callback,
		Fallback:         r.globalFallback(g.fallback),
		Fallback6:        r.globalFallback(g.fallback6),
		FallbackCommand:  g.fallbackCommand,
		LogFile:          g.logFile,
		Execute:          g.execute,
		Mail:             Mail{To: g.mailTo, Freq: seconds(t.mail), Status: g.mailStatus, SMTP: g.smtp},
		EmailAlertFrom:   g.mailFrom,
		Quiescent:        g.quiescent == yes,
		ReaddQuiescent:   g.readdQuiescent == yes,
		CleanStop:        g.cleanStop != no,
		MaintenanceDir:   g.maintenanceDir,
		Supervised:       g.supervised == yes,
		Fork:             g.fork == yes,
		Listen:           g.listen,
		StatusGroup:      g.statusGroup,
		At:               g.at,
		times:            t,
	}
}

func (r *reader) virtual(v *Virtual, s *section, global *Global) {
	g := &r.globals
	*v = s.v
	v.IPv6, v.Mark = s.ipv6, s.mark
	v.Addr = r.address(s)
	v.ID = s.id(v)
	v.At = s.at

	v.Scheduler = cmp.Or(v.Scheduler, defaultScheduler)
	v.OnePacket = s.ops == yes
	if s.persistent > 0 {
		v.Persistent = int(s.persistent)
	}
	v.Marking = r.markings(s)
	s.fillTimes(v, g)
	s.fillCheck(v)
	r.fillRule(v, s)
	if len(s.extensions) > 0 {
		r.extensions(v, s)
	}

	v.Quiescent = cmp.Or(s.quiescent, g.quiescent) == yes
	v.CleanStop = cmp.Or(s.cleanStop, g.cleanStop) != no
	v.Repair = cmp.Or(s.repair, g.repair) == yes
	v.FallbackCommand = cmp.Or(s.fallbackCommand, g.fallbackCommand)
	v.OnChange = cmp.Or(s.onChange, g.onChange)
	v.Fallback = r.ownFallback(s, v)
	v.OwnFallback = v.Fallback != nil
	if s.fallback == nil {
		v.Fallback = global.fallbackOf(v)
	}
	s.fillMail(v, g)

	v.Reals = make([]Real, 0, len(s.reals))
	for i := range s.reals {
		r.servers(s, &s.reals[i], v)
	}
	r.fillReals(v)
	if !s.broken {
		r.advise(s, v)
	}
}

func (s *section) id(v *Virtual) string {
	switch {
	case s.isMark && s.ipv6:
		return "fwm6:" + strconv.FormatUint(uint64(s.mark), 10)
	case s.isMark:
		return "fwm:" + strconv.FormatUint(uint64(s.mark), 10)
	default:
		return string(v.Protocol) + ":" + FormatAddrPort(v.Addr)
	}
}

// fillTimes lets the two timeouts stand in for each other; the section always comes first.
func (s *section) fillTimes(v *Virtual, g *globals) {
	v.times = times{
		check:     cmp.Or(s.checkTimeout, s.negotiateTimeout, g.checkTimeout, g.negotiateTimeout, defaultCheckTimeout),
		negotiate: cmp.Or(s.negotiateTimeout, s.checkTimeout, g.negotiateTimeout, g.checkTimeout, defaultNegotiateTimeout),
		interval:  cmp.Or(s.checkInterval, g.checkInterval, defaultCheckInterval),
		mail:      g.mailFreq,
	}
	if s.has("emailalertfreq") {
		v.times.mail = s.mailFreq
	}
	v.CheckTimeout = seconds(v.times.check)
	v.NegotiateTimeout = seconds(v.times.negotiate)
	v.CheckInterval = seconds(v.times.interval)
}

func (s *section) fillCheck(v *Virtual) {
	v.CheckType = cmp.Or(v.CheckType, Negotiate)
	v.NumConnects = asInt(s.connects, 0)
	v.CheckCommand = cmp.Or(v.CheckCommand, defaultCheckCommand)
	v.CheckPort = int(s.checkPort)
	v.Request = cmp.Or(v.Request, defaultRequest)
	v.HTTPMethod = cmp.Or(v.HTTPMethod, defaultHTTPMethod)
	v.FollowRedirect = cmp.Or(v.FollowRedirect, defaultFollowRedirect)
	if v.Service == "" {
		v.Service = guessService(v.Addr.Port())
	}
	switch v.Service {
	case "ftp":
		v.Login = cmp.Or(v.Login, "anonymous")
		v.Passwd = cmp.Or(v.Passwd, "ldirectord@"+s.opts.HostName)
	case "sip":
		v.Login = cmp.Or(v.Login, "ldirectord@"+s.opts.HostName)
	}
}

// fillRule decides how results change a server's state: by the counts or by a window, and that of
// the section before the global one.
func (r *reader) fillRule(v *Virtual, s *section) {
	g := &r.globals
	r.oneRule(&s.scope, s.place(wholeSection))
	v.CheckCount = asInt(cmp.Or(s.checkCount, g.checkCount), defaultCount)
	v.FailureCount = asInt(cmp.Or(s.failureCount, g.failureCount), defaultCount)
	v.RiseCount = asInt(cmp.Or(s.riseCount, g.riseCount), defaultCount)
	window := &s.scope
	if s.windowSize+s.failureCount+s.riseCount == 0 {
		window = &g.scope
	}
	v.WindowNeed, v.WindowSize = int(window.windowNeed), int(window.windowSize)
}

// oneRule refuses a window and a count in the same place.
func (r *reader) oneRule(s *scope, at place) {
	if s.windowSize == 0 {
		return
	}
	for _, other := range []string{"failurecount", "risecount"} {
		if pos, ok := s.at[other]; ok {
			r.error(at, conflict, s.at["window"], fmt.Sprintf("window and %s (line %d) both say when a server is down; it is one of them", other, pos.Line))
		}
	}
}

func (s *section) fillMail(v *Virtual, g *globals) {
	v.Mail = Mail{To: cmp.Or(s.mailTo, g.mailTo), SMTP: cmp.Or(s.smtp, g.smtp), Freq: seconds(v.times.mail), Status: g.mailStatus}
	if s.has("emailalertstatus") {
		v.Mail.Status = s.mailStatus
	}
}

// fallbackOf is the global sorry server for a virtual service, nil when there is none. A mark takes
// that of tcp.
func (g *Global) fallbackOf(v *Virtual) *Fallback {
	f := g.Fallback
	if v.IPv6 {
		f = g.Fallback6
	}
	if f == nil {
		return nil
	}
	one := f.TCP
	if v.Protocol == UDP {
		one = f.UDP
	}
	if !f.HasPort {
		one.Addr = netip.AddrPortFrom(one.Addr.Addr(), v.Addr.Port())
	}
	return &one
}

// fillReals gives the real servers what they have from their virtual service.
func (r *reader) fillReals(v *Virtual) {
	usual := usualPort(v.Service)
	for i := range v.Reals {
		real := &v.Reals[i]
		if !real.OwnRequest {
			real.Request, real.Receive = v.Request, v.Receive
		}
		real.CheckPort = cmp.Or(v.CheckPort, int(real.Addr.Port()), usual)
		real.URL = r.url(v, real)
	}
}

// url is what an http check asks for. A whole URL is asked as it stands from http_proxy, and when the
// server's own line brings it; else it is just a path.
func (r *reader) url(v *Virtual, real *Real) string {
	scheme := v.Service
	if scheme == "http_proxy" {
		scheme = "http"
	}
	path := strings.TrimPrefix(real.Request, "/")
	if real.OwnRequest && strings.Contains(path, scheme+"://") || !real.OwnRequest && v.Service == "http_proxy" {
		return path
	}
	b := append(r.scratch[:0], scheme...)
	b = append(b, "://"...)
	b = appendAddr(b, real.Addr.Addr())
	b = append(b, ':')
	if real.CheckPort > 0 {
		b = strconv.AppendInt(b, int64(real.CheckPort), 10)
	}
	b = append(b, '/')
	b = append(b, path...)
	r.scratch = b
	return string(b)
}

func appendAddr(b []byte, a netip.Addr) []byte {
	if a.Is4() {
		return a.AppendTo(b)
	}
	return append(a.AppendTo(append(b, '[')), ']')
}

// seconds is a number of seconds as a Duration, or the longest Duration.
func seconds(n int64) time.Duration {
	if n > math.MaxInt64/int64(time.Second) {
		return math.MaxInt64
	}
	return time.Duration(n) * time.Second
}

// asInt is a number as an int, the largest one at most, or its default.
func asInt(n int64, otherwise int) int {
	if n == 0 {
		return otherwise
	}
	return int(min(n, math.MaxInt))
}
