package keepalived

import (
	"cmp"
	"context"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"ldirectord/internal/lvs"
	"ldirectord/internal/printable"
	"ldirectord/parser"
)

// Convert reads a keepalived.conf and writes its virtual servers as an ldirectord.cf. Each line that has no equivalent,
// or an equivalent that behaves differently, gets a comment; missing is the number of these comments. A line that
// begins with @WORD is read only if WORD is id, and a line that begins with @^WORD only if WORD is not id. An error
// contains the position of the text that can't be read or understood.
func Convert(path, id string) (text string, missing int, err error) {
	statements, err := read(path, id)
	if err != nil {
		return "", 0, err
	}
	c := &converter{groups: map[string][]*statement{}, written: map[string]bool{}}
	var left []string
	for _, s := range statements {
		switch s.name() {
		case "virtual_server":
		case "virtual_server_group":
			c.group(s)
		case "SSL":
			c.unknown(s.block)
		case "global_defs":
			c.timeouts(s.block)
			fallthrough
		default:
			left = append(left, s.name())
		}
	}
	c.comment("Written by ldirectord-import from " + path)
	if slices.Sort(left); left != nil {
		c.comment("Left to keepalived: " + strings.Join(slices.Compact(left), ", "))
	}
	if c.idle != (lvs.Timeouts{}) {
		c.writeNotes()
		c.out.WriteString("\ntimeouts = " + c.idle.String() + "\n")
	}
	for _, s := range statements {
		if s.name() == "virtual_server" && c.err == nil {
			c.virtualServer(s)
		}
	}
	c.writeNotes() // if no section has written them
	return c.out.String(), c.missing, c.err
}

// converter writes the sections of an ldirectord.cf.
type converter struct {
	err     error
	out     strings.Builder
	missing int
	notes   []string                // the comments about the current section
	groups  map[string][]*statement // of virtual servers
	idle    lvs.Timeouts            // the timeouts of idle connections
	blocks  int                     // how many checkdef blocks were written
	effort  int                     // how much the parser has read
	written map[string]bool         // headers of sections, and comments
}

// noEqual adds a comment about a line without an equivalent. why is "" or begins with a semicolon.
func (c *converter) noEqual(s *statement, why string) { c.note(s, "no equivalent"+why) }

// differs adds a comment about a line whose equivalent behaves differently.
func (c *converter) differs(s *statement, how string) { c.note(s, "differs: "+how) }

func (c *converter) note(s *statement, text string) {
	note := fmt.Sprintf("%s:%d: %s: %s", s.at.file, s.at.line, strings.Join(s.words, " "), text)
	if !c.written[note] {
		c.written[note] = true
		c.notes = append(c.notes, note)
	}
}

// writeNotes writes the pending comments before the next section.
func (c *converter) writeNotes() {
	if c.notes != nil {
		c.out.WriteString("\n")
	}
	for _, note := range c.notes {
		c.comment(note)
	}
	c.missing += len(c.notes)
	c.notes = nil
}

func (c *converter) comment(text string) {
	c.out.WriteString("# " + printable.Text(text) + "\n")
}

// unknown adds comments about a block and its inner blocks: for each word that is not converted, and for each line of
// which only the first value is converted.
func (c *converter) unknown(block []*statement) {
	for _, s := range block {
		if !slices.Contains(converted, s.name()) {
			c.noEqual(s, hints[s.name()])
			continue
		}
		if len(s.words) > 2 && !slices.Contains(several, s.name()) {
			c.differs(s, "only its first value is taken")
		}
		c.unknown(s.block)
	}
}

// timeouts reads lvs_timeouts of global_defs. ldirectord has to set these timeouts, because keepalived does so only
// while it has virtual servers.
func (c *converter) timeouts(globals []*statement) {
	for _, s := range globals {
		if s.name() != "lvs_timeouts" {
			continue
		}
		for i := 1; i < len(s.words); i += 2 {
			n := slices.Index([]string{"tcp", "tcpfin", "udp"}, s.arg(i))
			seconds, err := strconv.ParseUint(s.arg(i+1), 10, 32)
			if n < 0 || err != nil || seconds > lvs.MaxIdle {
				c.noEqual(s, fmt.Sprint("; timeouts takes whole seconds up to ", lvs.MaxIdle))
				break
			}
			c.idle[n] = uint32(seconds)
		}
	}
}

func (c *converter) virtualServer(s *statement) {
	c.unknown(s.block)
	own := newScope(s.block, nil)
	addresses, marks := c.headers(s, own)
	protocol := cmp.Or(strings.ToLower(own.text("protocol")), "udp")
	for _, six := range []string{"", "6"} { // the suffix of the directives for IPv6
		c.services(s, own, six, of("virtual"+six+" ", addresses), protocol)
		c.services(s, own, six, of("virtual"+six+" ", marks), "fwm")
	}
}

// services writes a virtual server's sections of one family and one protocol.
func (c *converter) services(s *statement, own *scope, six string, headers []string, protocol string) {
	if c.err != nil || headers == nil {
		return
	}
	servers := c.servers(s, own, protocol)
	if len(servers) == 0 {
		c.sections(s, headers, nil, "")
		return
	}
	checks, blocks := c.checks(servers)
	all := slices.Concat(c.service(own, protocol), c.whole(own, servers), checks)
	if address := own.find("sorry_server"); address != nil {
		all.set("fallback"+six, c.host(address, protocol)+" "+
			c.method(own.find("sorry_server_lvs_method", "lb_kind")))
	}
	for _, r := range servers {
		all.set("real"+six, r.line)
	}
	if c.err == nil {
		c.sections(s, headers, all, blocks)
	}
}

// lossy matches a line with a part that ldirectord would read as a comment.
var lossy = regexp.MustCompile(`(?m)^[^"\n]*#|"[^"\n]*"[^"\n]*#`)

// sections writes a section for each header, or a comment that says why it is left out.
func (c *converter) sections(s *statement, headers []string, all lines, blocks string) {
	sections := ""
	for _, header := range headers {
		text := all.under("\n" + header)
		if c.effort += 4000 + len(blocks+text); c.effort > parser.MaxSize {
			c.fail(s, "fewer and shorter sections")
			return
		}
		_, found := parser.Parse(context.Background(), "", []byte(blocks+text), parser.Options{})
		leftOut := "; " + header + " is left out: "
		switch errors := found.Errors(); {
		case all == nil:
			c.noEqual(s, leftOut+"a section needs a real server")
		case len(errors) > 0:
			c.noEqual(s, leftOut+"ldirectord refuses its section: "+errors[0].Text)
		case lossy.MatchString(blocks + text):
			c.noEqual(s, leftOut+"ldirectord would read its # as the beginning of a comment")
		case c.written[header+all[0]]:
			c.noEqual(s, leftOut+"the service is in an earlier section")
		default:
			c.written[header+all[0]] = true
			sections += text
		}
	}
	c.writeNotes()
	if sections != "" {
		c.out.WriteString(blocks + sections)
	}
}

// flags returns the flags of a virtual server that its scheduler accepts.
func (c *converter) flags(own *scope, scheduler string) (taken []string) {
	for flag := range strings.FieldsSeq(schedulerFlags) {
		if !own.has(flag) {
			continue
		}
		if _, err := lvs.ParseSchedFlags(scheduler, flag); err != nil {
			c.noEqual(own.find(flag), "; "+err.Error())
			continue
		}
		taken = append(taken, flag)
	}
	return taken
}

// service returns the lines that set the properties of the virtual service in the kernel.
func (c *converter) service(own *scope, protocol string) (all lines) {
	scheduler := cmp.Or(own.text("lb_algo"), "wlc")
	all.set("protocol", protocol)
	all.set("scheduler", scheduler)
	all.set("schedflags", strings.Join(c.flags(own, scheduler), ","))
	if own.has("ops") {
		all.set("ops", "yes")
	}
	if own.yes("persistence_timeout") {
		all.set("persistent", cmp.Or(own.text("persistence_timeout"), "360"))
	}
	all.set("netmask", own.text("persistence_granularity"))
	all.set("pename", own.text("persistence_engine"))
	return all
}

// server is a real_server block, converted.
type server struct {
	of     *statement
	scope  *scope
	weight string
	line   string
	checks []check
}

func (c *converter) servers(s *statement, own *scope, protocol string) (all []server) {
	seen := map[string]bool{}
	for _, of := range s.block {
		if of.name() != "real_server" {
			continue
		}
		address := c.host(of, "")
		if seen[address] {
			c.note(of, "ignored: keepalived uses only the first real_server with this address and port")
			continue
		}
		seen[address] = true
		r := server{of: of, scope: newScope(of.block, own)}
		r.weight = cmp.Or(r.scope.text("weight"), "1")
		r.line = c.host(of, protocol) + " " + c.method(r.scope.find("lb_kind")) + " " + r.weight
		for _, threshold := range []string{"lthreshold", "uthreshold"} {
			if limit := r.scope.text(threshold); limit != "" {
				r.line += " " + threshold[:1] + ":" + limit
			}
		}
		for _, in := range of.block {
			r.checks = append(r.checks, c.checker(in, r, protocol)...)
		}
		if at := slices.IndexFunc(r.checks, check.changesWeight); at > 0 {
			first := r.checks[at]
			r.checks = slices.Insert(slices.Delete(r.checks, at, at+1), 0, first)
		}
		all = append(all, r)
	}
	return all
}

// inhibits reports whether the server stays in the table when it fails. The value no switches inhibit_on_failure off
// only in the block of a real server.
func (r server) inhibits() bool {
	own := newScope(r.of.block, nil)
	return own.yes("inhibit_on_failure") || !own.has("inhibit_on_failure") && r.scope.has("inhibit_on_failure")
}

// whole returns the lines that apply to all servers together: quiescent and minservers. keepalived's quorum counts
// weights, but minservers counts servers, so a quorum is converted only if every weight is 1. With a sorry_server it is
// not converted, because a fallback serves only when no server is up.
func (c *converter) whole(own *scope, servers []server) (all lines) {
	quiescent := servers[0].inhibits()
	if quiescent {
		all.set("quiescent", "yes")
	}
	for _, r := range servers {
		if r.inhibits() != quiescent {
			c.differs(r.of, "its inhibit_on_failure differs from that of the first server of the section")
		}
	}
	s := own.find("quorum")
	quorum := min(c.number(s, 1), float64(len(servers))) // keepalived lowers both in the same way
	margin := min(c.number(own.find("hysteresis"), 0), quorum-1)
	switch {
	case quorum <= 1:
	case own.find("sorry_server") != nil:
		c.noEqual(s, "; a fallback serves when no server is up, not when there are fewer than the quorum")
	case slices.ContainsFunc(servers, func(r server) bool { return r.weight != "1" }):
		c.noEqual(s, "; minservers counts servers, not their weights")
	default:
		all.set("minservers", fmt.Sprint(quorum-margin, "/", min(quorum+margin, float64(len(servers)))))
	}
	return all
}
