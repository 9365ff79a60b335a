package doctor

// This file finds problems of a configuration's firewall marks on this machine.

import (
	"context"
	"os"
	"slices"
	"strconv"

	"ldirectord/internal/fwmark"
	"ldirectord/internal/plan"
	"ldirectord/parser"
)

func usesMarks(services []*plan.Service) bool {
	return slices.ContainsFunc(services, func(s *plan.Service) bool { return s.Config.Mark != 0 })
}

// tryMarks tries to set marks in the same way as the daemon. It does so only as root.
func (f *facts) tryMarks(ctx context.Context) {
	f.unsettable = map[bool]Finding{}
	for _, s := range f.services {
		ipv6, mayTry := s.Config.IPv6, f.daemon.Owns != nil && os.Geteuid() == 0
		if _, done := f.unsettable[ipv6]; !done && mayTry && len(s.Config.Marking) > 0 {
			f.unsettable[ipv6] = Finding{}
			if fix, err := fwmark.Try(ctx, ipv6); err != nil {
				f.unsettable[ipv6] = finding("mark-unsettable", err, fix)
			}
		}
	}
}

// marking examines the mark of a virtual service.
func (x one) marking() {
	switch {
	case x.marks == nil || x.Mark == 0:
		return
	case len(x.Marking) > 0:
		x.otherRules()
		x.backEnds()
	case x.marks.NothingSets(x.Mark, x.IPv6):
		x.tell("mark-unset", markOf(x.Virtual))
	}
	x.routed(x.IPv6, x.Mark)
}

func markOf(v *parser.Virtual) string { return nameOf(v.Mark, v.IPv6) }

func nameOf(mark uint32, ipv6 bool) string {
	name := "mark " + strconv.FormatUint(uint64(mark), 10)
	if ipv6 {
		name += " of IPv6"
	}
	return name
}

// otherRules finds a rule that sets the same mark but is not our daemon's.
func (x one) otherRules() {
	for _, r := range x.marks.Settings {
		if !r.Gives(x.Mark, x.IPv6) || x.daemon.Owns != nil && x.daemon.Owns(r) {
			continue
		}
		whose := "a rule"
		if r.Ours {
			whose = "a rule of another ldirectord"
		}
		x.tell("mark-taken", markOf(x.Virtual), whose, r.Chain, r.BackEnd, r.Rule)
		return
	}
}

// routed finds the first of these marks that a routing rule uses. Packets that are routed by their mark might never
// reach the virtual service or, in a check, the server.
func (x one) routed(ipv6 bool, marks ...uint32) {
	if x.marks == nil {
		return
	}
	for _, mark := range marks {
		for _, r := range x.marks.Routing {
			if r.Uses(mark, ipv6) {
				x.tell("mark-routed", nameOf(mark, ipv6), r.Priority, r.Table)
				return
			}
		}
	}
}

// backEnds finds problems with iptables, which sets the marks. Some machines have two separate sets of iptables rules.
func (x one) backEnds() {
	m, at := x.marks, x.Marking[0].At
	switch tried := x.unsettable[x.IPv6]; {
	case m.BackEnd == "":
		x.report(finding("mark-unsettable iptables").in(at))
	case tried.Kind != "":
		x.report(tried.in(at))
	case m.Other != "":
		x.report(finding("mark-backends", m.BackEnd, m.Other).in(at))
	}
}
