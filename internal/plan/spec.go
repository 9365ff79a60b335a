package plan

import (
	"net/netip"
	"strconv"
	"strings"

	"ldirectord/checker"
	"ldirectord/checker/settings"
	"ldirectord/internal/health"
	"ldirectord/internal/judge"
	"ldirectord/internal/lvs"
	"ldirectord/parser"
)

// Spec returns the specification of a check. It contains only what the check uses, so that equal checks of several
// virtual services can be shared.
func (x Use) Spec() checker.Spec {
	cfg, r := x.Check(), x.Entry.Real
	s := checker.Spec{
		Type: cfg.CheckType,
		// If this director loses its link to the servers, a check must fail even if a router still leads to
		// them: with gate, clients' packets can't take that way.
		Path:           settings.Path{Origin: cfg.Origin, OnLink: cfg.Announce != "" && r.Forward == lvs.Route},
		Protocol:       cfg.Protocol.String(),
		Target:         netip.AddrPortFrom(r.Addr.Addr(), uint16(cfg.PortOf(r))),
		PingsTheSilent: cfg.PingsTheSilent(),
	}
	if cfg.CheckVIP.IsValid() && r.Forward != lvs.Masq {
		s.Through = checker.Through{Virtual: cfg.CheckVIP, Server: s.Target.Addr(), Forward: r.Forward}
	}
	if cfg.CheckType != parser.Negotiate {
		s.Timeout = cfg.CheckTimeout.Duration()
	}
	switch cfg.CheckType {
	case parser.On, parser.Off:
		return checker.Spec{Type: s.Type, Target: s.Target}
	case parser.Ping, parser.Connect:
		s.Attempts = cfg.CheckCount
		return s
	case parser.External, parser.ExternalPerl:
		s.Command, s.Args = cfg.CheckCommand, externalArgs(cfg, r)
		s.Weighs, s.OnLink = cfg.ExternalWeight, false // programs choose their path
		return s
	case parser.Agent:
		s.Request = cfg.Request
		return s
	case parser.Combined:
		s.Connects = cfg.NumConnects
	}
	s.Service, s.NegotiateTimeout = cfg.Service, cfg.NegotiateTimeout.Duration()
	s.Request, s.Receive = cfg.Asks(r)
	if settings.ServiceOf(cfg.Service).Takes("same") {
		s.Same = cfg.Same
	}
	s.Host, s.SNI = cfg.VirtualHost, cfg.SNI
	if s.TLS = cfg.TLS; !cfg.OverTLS() {
		s.TLSExpiryWarn = 0
	}
	if strings.HasPrefix(cfg.Service, "http") {
		s.URL, s.HTTP, s.DrainStatus = cfg.URL(r), cfg.HTTP, cfg.DrainStatus
		s.HTTPHeaders = checker.ListOf(cfg.HTTPHeaders...)
		return s
	}
	s.UseTLS = cfg.UseTLS && settings.ServiceOf(cfg.Service).Takes("tls")
	s.Account, s.StartTLS, s.NoClearText = cfg.Account, cfg.StartTLS, !cfg.ClearText
	s.DNSType, s.DNSRcode, s.Steps = cfg.DNSType, cfg.DNSRcode, checker.ListOf(cfg.Steps...)
	return s
}

// externalArgs returns the arguments of an external check, separated by zero bytes. With checktype=external, checkargs
// gives them, if it is set. Otherwise they are the virtual address (or the mark), virtual port, real address and real
// port. A missing port is 0.
func externalArgs(cfg *parser.Virtual, r *parser.Real) string {
	virtual, port := cfg.Name(), "0"
	if cfg.Protocol != lvs.Mark {
		virtual = lvs.FormatAddr(cfg.Addr.Addr())
		port = strconv.Itoa(int(cfg.Addr.Port()))
	}
	address, realPort := lvs.FormatAddr(r.Addr.Addr()), strconv.Itoa(int(r.Addr.Port()))
	args := []string{virtual, port, address, realPort}
	if cfg.CheckArgs != "" && cfg.CheckType == parser.External {
		name := address
		if r.Named != nil {
			name = r.Named.Host
		}
		args = cfg.Arguments(strings.Trim(address, "[]"), realPort, strings.Trim(virtual, "[]"), port, name)
	}
	return strings.Join(args, "\x00")
}

func settingsOf(cfg *parser.Virtual) (lvs.Settings, error) {
	s := lvs.Settings{Scheduler: cfg.Scheduler, Netmask: lvs.EachClient(cfg.IPv6)}
	if cfg.SchedFlags != "" {
		flags, err := lvs.ParseSchedFlags(cfg.Scheduler, cfg.SchedFlags)
		if err != nil {
			return s, &checker.SpecError{Directive: "schedflags", Err: err}
		}
		s.Flags |= flags
	}
	if cfg.OnePacket && cfg.Protocol == lvs.UDP {
		s.Flags |= lvs.OnePacket
	}
	if cfg.Persistent <= 0 {
		return s, nil
	}
	s.Flags |= lvs.Persistent
	s.Timeout = uint32(min(cfg.Persistent, lvs.MaxTimeout))
	s.PEName = cfg.PEName
	if cfg.Netmask != (parser.Netmask{}) {
		s.Netmask = cfg.Netmask.Bits
	}
	return s, nil
}

// destOf returns the destination of a server.
func destOf(cfg *parser.Virtual, r *parser.Real) lvs.Dest {
	return lvs.Dest{Addr: cfg.EntryOf(r), Forward: r.Forward, Weight: uint32(r.Weight),
		Upper: uint32(r.Upper), Lower: uint32(r.Lower)}
}

// sectionOf returns the part of a section that package judge needs.
func sectionOf(cfg *parser.Virtual, readd bool) judge.Section {
	s := judge.Section{
		Rule: health.Rule{Fall: cfg.FailureCount, Rise: cfg.RiseCount, Need: cfg.Window.Need,
			Of: cfg.Window.Of},
		Policy: cfg.Policy, Observe: cfg.Observe, Announce: cfg.Announce != "",
		DrainTime: cfg.DrainTime.Duration(), Readd: readd, Remains: !cfg.CleanStop,
		NoFallback: cfg.CheckType == parser.Off && !cfg.HasOwnFallback(),
	}
	for _, m := range cfg.Marking {
		s.Marks = append(s.Marks, lvs.MarkRule{Mark: cfg.Mark, Packets: m.Packets})
	}
	for i := range cfg.Waiting {
		weight := uint32(cfg.Waiting[i].Weight)
		if cfg.Waiting[i].Backup {
			weight = 0 // not counted
		}
		s.Waiting = append(s.Waiting, weight)
	}
	return s
}
