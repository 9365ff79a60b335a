package parser

import (
	"slices"
	"strings"

	"ldirectord/internal/lvs"
)

// This file refuses directives of a section that exclude each other, or that need another one.

func (a adviser) conflicts() {
	a.oneRule(&a.Settings)
	a.oneDialogue()
	a.oneSecret()
	a.mailLogin(&a.Settings)
	a.misplaced()
	a.origin()
	for _, pair := range [][2]string{{"tlscert", "tlskey"}, {"tlskey", "tlscert"}, {"httpuser", "httppasswd"},
		{"httppasswd", "httpuser"}, {"agentsend", "agentport"}, {"backupbelow", "backup"}} {
		inList := pair[1] == "backup" && a.has("realfile") // a list may have backups later
		if a.has(pair[0]) && !a.has(pair[1]) && !inList {
			a.refuse(pair[0], incomplete, "%s is given without %s; give both or neither", pair[0],
				pair[1])
		}
	}
}

// hasBackups reports whether the section has backup servers, including backup servers in lists.
func (a adviser) hasBackups() bool {
	return slices.ContainsFunc(a.s.reals, func(l realLine) bool { return l.Backup })
}

// misplaced refuses directives that make no sense together with other directives of the section.
func (a adviser) misplaced() {
	off := a.checksNothing()
	overHTTP := a.Negotiates() && (a.Service == "http" || a.Service == "https")
	refuse := func(wrong bool, directive, text string) {
		if wrong {
			a.refuse(directive, conflict, "%s", text)
		}
	}
	refuse(a.has("httpuser") && slices.ContainsFunc(a.HTTPHeaders, logsIn), "httpuser",
		"httpuser and an httpheader Authorization both log in; use only one of them")
	// The persistence engine sip reads only datagrams. The kernel drops every other packet of the service
	// (net/netfilter/ipvs/ip_vs_pe_sip.c, ip_vs_sip_fill_param).
	refuse(a.PEName != "" && a.Protocol == lvs.TCP, "pename",
		"pename=sip would make a TCP service lose every packet; it needs protocol=udp, or "+
			"a firewall mark")
	if a.HTTPMethod == "POST" && !a.has("httpbody") {
		a.refuse("httpmethod", badValue, "POST is allowed only with httpbody; otherwise it must be GET or HEAD")
	}
	refuse(a.HTTPBody != "" && a.HTTPMethod != "POST", "httpbody",
		"httpbody needs httpmethod=POST: other requests have no body")
	refuse(a.UseTLS && a.Service == "simpletcp" && a.Protocol == lvs.UDP, "tls",
		"tls=yes needs a TCP service")
	refuse(off && a.AgentPort > 0, "agentport",
		"agentport is given with a checktype that checks nothing; use only one of them")
	refuse(!off && a.ExternalWeight && !a.runsCommand(), "externalweight",
		"externalweight needs checktype=external or external-perl")
	refuse(!off && a.DrainStatus != "" && !overHTTP, "drainstatus",
		"drainstatus needs a negotiate check of http or https")
	refuse(overlap(a.HTTPStatus, a.DrainStatus), "drainstatus",
		"a status is in drainstatus and in httpstatus (200-299 by default); it must be in only one of them")
	refuse(a.Observe == lvs.LeftOut && (a.KeepServing.N == 0 || a.HoldDown.First == 0), "observe",
		"observe=out needs keepserving (the number of servers that stay in service) and holddown (the time "+
			"after which a server comes back)")
	refuse(a.Observe == lvs.LeftOut && a.Protocol == lvs.UDP, "observe",
		"observe=out is not allowed with udp: a UDP packet need not be answered")
	hashes := a.Scheduler == "sh" || a.Scheduler == "mh"
	refuse(a.has("backup") && hashes, "backup",
		"backup is not allowed with the schedulers sh and mh: a client's server would depend on the order "+
			"in which servers were added; use another scheduler")
	a.when(!a.has("backup") && a.hasBackups() && hashes, "realfile", suspicious,
		"the list has backup servers, which are not for the schedulers sh and mh: a client's server depends "+
			"on the order in which servers were added; use another scheduler")
}

func logsIn(header string) bool {
	name, _, _ := strings.Cut(header, ":")
	return strings.EqualFold(name, "authorization")
}

// oneRule refuses window together with failurecount or risecount, if both are global or both are in the section.
func (f finder) oneRule(s *Settings) {
	if !s.has("window") {
		return
	}
	for _, other := range instead["window"] {
		if pos, ok := s.At[other]; ok {
			f.error(conflict, s.At["window"],
				"window and %s (line %d) both decide when a server is down; use only one of them",
				other, pos.Line)
		}
	}
}

// oneDialogue refuses a dialogue together with a single request and answer, which may be the section's or a real
// server's.
func (a adviser) oneDialogue() {
	const both = "%s and %s (%s) can't be used together; a check with send and expect has neither " +
		"request nor receive"
	step := "send"
	if !a.has(step) {
		step = "expect"
	}
	if !a.has(step) {
		return
	}
	for _, other := range instead[step] {
		if pos, ok := a.At[other]; ok {
			a.error(conflict, pos, both, other, step, a.At[step].SeenFrom(pos))
		}
	}
	for _, at := range a.s.asking {
		a.error(conflict, at, both, "the strings of this real server", step, a.At[step].SeenFrom(at))
	}
}
