package parser

import (
	"strings"
)

// This file refuses directives of a section that exclude each other, or of which one is missing.

func (r *reader) conflicts(v *Virtual, s *section) {
	r.oneRule(&v.Settings, s.order(wholeSection))
	r.together(s, "tlscert", "tlskey")
	r.together(s, "httpuser", "httppasswd")
	r.oneLogin(v, s)
	r.oneDialogue(s)
	r.engine(v, s)
}

// engine refuses the sip engine for TCP: it reads datagrams alone, and the kernel drops every other packet
// of the service (net/netfilter/ipvs/ip_vs_pe_sip.c, ip_vs_sip_fill_param).
func (r *reader) engine(v *Virtual, s *section) {
	if v.PEName != "" && v.Protocol == TCP {
		r.error(s.order(wholeSection), conflict, s.v.At["pename"], "pename=sip is in a service of tcp, which would lose every packet; it needs protocol=udp, or a firewall mark")
	}
}

// together refuses one of two directives that need each other.
func (r *reader) together(s *section, a, b string) {
	for _, pair := range [][2]string{{a, b}, {b, a}} {
		if s.has(pair[0]) && !s.has(pair[1]) {
			r.error(s.order(wholeSection), incomplete, s.v.At[pair[0]], "%s is given without %s; it is both or neither", pair[0], pair[1])
		}
	}
}

// oneRule refuses a window and a count in the same place.
func (r *reader) oneRule(s *Settings, at order) {
	if !s.has("window") {
		return
	}
	for _, other := range []string{"failurecount", "risecount"} {
		if pos, ok := s.At[other]; ok {
			r.error(at, conflict, s.At["window"], "window and %s (line %d) both say when a server is down; it is one of them", other, pos.Line)
		}
	}
}

// oneLogin refuses two log-ins in one request.
func (r *reader) oneLogin(v *Virtual, s *section) {
	if !s.has("httpuser") {
		return
	}
	for _, header := range v.HTTPHeaders {
		if name, _, _ := strings.Cut(header, ":"); strings.EqualFold(name, "authorization") {
			r.error(s.order(wholeSection), conflict, s.v.At["httpuser"], "httpuser and an httpheader Authorization both log in; it is one of them")
			return
		}
	}
}

// oneDialogue refuses a single request and its answer beside a dialogue, also those of a real server.
func (r *reader) oneDialogue(s *section) {
	step := "send"
	if !s.has(step) {
		step = "expect"
	}
	if !s.has(step) {
		return
	}
	for _, other := range []string{"request", "receive"} {
		if pos, ok := s.v.At[other]; ok {
			r.error(s.order(wholeSection), conflict, pos, "%s and %s (line %d) both say what a check speaks; "+
				"with send and expect there is no request or receive", other, step, s.v.At[step].Line)
		}
	}
	for i := range s.reals {
		if real := &s.reals[i]; real.server.OwnRequest {
			r.error(s.order(wholeSection), conflict, real.line.position(), "the strings of this real server and %s (line %d) "+
				"both say what a check speaks; with send and expect there is no request or receive", step, s.v.At[step].Line)
		}
	}
}
