package doctor

// What is wrong with the firewall marks of a configuration on this machine.

import (
	"context"
	"os"
	"slices"
	"strconv"

	"ldirectord/director"
	"ldirectord/fwmark"
	"ldirectord/parser"
	"ldirectord/printable"
)

func usesMarks(services []director.Service) bool {
	return slices.ContainsFunc(services, func(s director.Service) bool { return s.Config.Mark != 0 })
}

func checksThrough(services []director.Service) bool {
	return slices.ContainsFunc(services, func(s director.Service) bool { return s.Config.CheckVIP.IsValid() })
}

// inspectMarks finds who sets and uses marks. What could not be looked at is in Unread.
func inspectMarks(ctx context.Context) *fwmark.Machine {
	machine, err := fwmark.Inspect(ctx)
	if err != nil {
		machine.Unread = append(machine.Unread, err.Error())
	}
	return &machine
}

// tryMarks tries to set marks as the daemon does, which only root may.
func (f *facts) tryMarks(ctx context.Context, services []director.Service) {
	f.unsettable = map[bool]Finding{}
	for _, s := range services {
		ipv6, mayTry := s.Config.IPv6, f.daemon.Owns != nil && os.Geteuid() == 0
		if _, done := f.unsettable[ipv6]; !done && mayTry && len(s.Config.Marking) > 0 {
			f.unsettable[ipv6] = Finding{}
			if fix, err := fwmark.Try(ctx, ipv6); err != nil {
				f.unsettable[ipv6] = unsettable(err, fix)
			}
		}
	}
}

func unsettable(why error, fix string) Finding {
	text := "no mark can be set: " + why.Error()
	return Finding{Severity: broken, Kind: "mark-unsettable", Command: fix, Text: text}
}

// marking looks at the mark of a virtual service.
func (e *examination) marking(s director.Service) {
	switch {
	case e.marks == nil || s.Config.Mark == 0:
		return
	case len(s.Config.Marking) > 0:
		e.otherRules(s)
		e.backEnds(s)
	case e.marks.NothingSets(s.Config.Mark, s.Config.IPv6):
		e.broken(s, "mark-unset", "",
			"nothing sets %s here, so the virtual service gets no packets; mark = ADDRESS PROTOCOL PORTS "+
				"has the daemon set it", markOf(s.Config))
	}
	e.routed(s, s.Config.IPv6, s.Config.Mark)
}

func markOf(v *parser.Virtual) string { return nameOf(v.Mark, v.IPv6) }

func nameOf(mark uint32, ipv6 bool) string {
	name := "mark " + strconv.FormatUint(uint64(mark), 10)
	if ipv6 {
		name += " of IPv6"
	}
	return name
}

// otherRules: rules that are not the daemon's set the mark as well.
func (e *examination) otherRules(s director.Service) {
	for _, r := range e.marks.Settings {
		if !r.Gives(s.Config.Mark, s.Config.IPv6) || e.daemon.Owns != nil && e.daemon.Owns(r) {
			continue
		}
		whose := "a rule"
		if r.Ours {
			whose = "a rule of another ldirectord"
		}
		e.warn(s, "mark-taken", "", "%s is set by %s too, in chain %s (%s): %s", markOf(s.Config), whose,
			printable.Line(r.Chain), r.BackEnd, printable.Line(r.Rule))
		return
	}
}

// routed: packets that are routed by their mark might never reach the virtual service, or the server that a check asks.
// The first mark says it.
func (e *examination) routed(s director.Service, ipv6 bool, marks ...uint32) {
	if e.marks == nil {
		return
	}
	for _, mark := range marks {
		for _, r := range e.marks.Routing {
			if r.Uses(mark, ipv6) {
				e.warn(s, "mark-routed", "",
					"%s is used by ip rule %d, which sends its packets to table %s",
					nameOf(mark, ipv6), r.Priority, printable.Line(r.Table))
				return
			}
		}
	}
}

// backEnds: marks are set by iptables, which has two sets of rules on some machines.
func (e *examination) backEnds(s director.Service) {
	m := e.marks
	other := fwmark.NFT
	if m.BackEnd == fwmark.NFT {
		other = fwmark.Legacy
	}
	tried := e.unsettable[s.Config.IPv6]
	switch at := s.Config.Marking[0].At; {
	case m.BackEnd == "":
		e.report(s, Finding{Severity: broken, Kind: "mark-unsettable", at: at,
			Text: "iptables is not installed here, so no mark can be set"})
	case tried.Kind != "":
		tried.at = at
		e.report(s, tried)
	case m.Other:
		e.warnOf(s, at, "mark-backends", "",
			"iptables is %s here, and %s has rules in its mangle table as well, "+
				"which act on the same packets", m.BackEnd, other)
	}
}
