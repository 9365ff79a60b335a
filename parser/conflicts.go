package parser

import (
	"slices"
	"strings"

	"ldirectord/lvs"
)

// This file refuses directives of a section that exclude each other, or that lack their counterpart.

func (f finder) conflicts(v *Virtual, s *section) {
	f.oneRule(&v.Settings)
	f.oneDialogue(v, s)
	f.misplaced(v)
	for _, pair := range [][2]string{{"tlscert", "tlskey"}, {"tlskey", "tlscert"}, {"httpuser", "httppasswd"},
		{"httppasswd", "httpuser"}, {"agentsend", "agentport"}, {"backupbelow", "backup"}} {
		if v.has(pair[0]) && !v.has(pair[1]) {
			f.error(incomplete, v.At[pair[0]], "%s is given without %s; give both or neither", pair[0],
				pair[1])
		}
	}
}

// misplaced refuses directives that make no sense with others of the section.
func (f finder) misplaced(v *Virtual) {
	off := v.checksNothing()
	overHTTP := v.Negotiates() && (v.Service == "http" || v.Service == "https")
	refuse := func(wrong bool, directive, text string) {
		if wrong {
			f.error(conflict, v.At[directive], "%s", text)
		}
	}
	refuse(v.has("httpuser") && slices.ContainsFunc(v.HTTPHeaders, logsIn), "httpuser",
		"httpuser and an httpheader Authorization both log in; use only one of them")
	// The engine reads datagrams alone, and the kernel drops every other packet of the service
	// (net/netfilter/ipvs/ip_vs_pe_sip.c, ip_vs_sip_fill_param).
	refuse(v.PEName != "" && v.Protocol == lvs.TCP, "pename",
		"pename=sip would make a service of tcp lose every packet; it needs protocol=udp, or "+
			"a firewall mark")
	refuse(off && v.AgentPort > 0, "agentport",
		"agentport is given with a checktype that checks nothing; use only one of them")
	refuse(!off && v.ExternalWeight && !v.runsCommand(), "externalweight",
		"externalweight needs checktype=external or external-perl")
	refuse(!off && v.DrainStatus != "" && !overHTTP, "drainstatus",
		"drainstatus needs a negotiate check of http or https")
	refuse(overlap(v.HTTPStatus, v.DrainStatus), "drainstatus",
		"a status is in drainstatus and in httpstatus (200-299 by default); it must be in only one of them")
	refuse(v.Observe == lvs.LeftOut && (v.KeepServing.N == 0 || v.HoldDown == 0), "observe",
		"observe=out needs keepserving, the number of servers that stay in service, and holddown, the time "+
			"after which a server comes back")
	refuse(v.Observe == lvs.LeftOut && v.Protocol == lvs.UDP, "observe",
		"observe=out needs a service of tcp: a packet of udp need not have an answer")
	refuse(v.has("backup") && (v.Scheduler == "sh" || v.Scheduler == "mh"), "backup",
		"backup is not allowed with the schedulers sh and mh: a client's server would depend on the order "+
			"in which servers were added; use another scheduler")
}

func logsIn(header string) bool {
	name, _, _ := strings.Cut(header, ":")
	return strings.EqualFold(name, "authorization")
}

// oneRule refuses a window together with a count at the same level.
func (f finder) oneRule(s *Settings) {
	if !s.has("window") {
		return
	}
	for _, other := range []string{"failurecount", "risecount"} {
		if pos, ok := s.At[other]; ok {
			f.error(conflict, s.At["window"],
				"window and %s (line %d) both decide when a server is down; use only one of them",
				other, pos.Line)
		}
	}
}

// oneDialogue refuses a single request and its answer together with a dialogue, also those of a real server.
func (f finder) oneDialogue(v *Virtual, s *section) {
	const both = "%s and %s (line %d) exclude each other; a check with send and expect has no request and no " +
		"receive"
	step := "send"
	if !v.has(step) {
		step = "expect"
	}
	if !v.has(step) {
		return
	}
	for _, other := range []string{"request", "receive"} {
		if pos, ok := v.At[other]; ok {
			f.error(conflict, pos, both, other, step, v.At[step].Line)
		}
	}
	for i := range s.reals {
		if real := &s.reals[i]; real.server.OwnRequest {
			f.error(conflict, real.line.position(), both, "the strings of this real server", step,
				v.At[step].Line)
		}
	}
}
