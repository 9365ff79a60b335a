package keepalived

import (
	"context"
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"

	"ldirectord/internal/printable"
	"ldirectord/parser"
)

// Convert reads a keepalived.conf and writes its virtual servers as an ldirectord.cf, with a comment for each line that
// has no equal there; missing is their number. Lines that begin with @ count if their word is id. An Error has the
// place of what can't be read or understood.
func Convert(ctx context.Context, path, id string) (text string, missing int, err error) {
	statements, err := read(path, id)
	if err != nil {
		return "", 0, err
	}
	c := &converter{ctx: ctx, groups: map[string]*statement{}, names: map[string]string{},
		defined: map[string]bool{}, written: map[string]*statement{}, tls: newScope(&statement{}, nil)}
	left := c.collect(statements)
	for _, s := range statements {
		if s.name() == "virtual_server" && c.err == nil {
			c.virtualServer(s)
		}
	}
	head := "# From " + printable.Text(path) + ", by ldirectord-import.\n"
	if len(left) > 0 {
		head += "# Left to keepalived: " + printable.Text(strings.Join(left, ", ")) + ".\n"
	}
	return head + c.out.String(), c.missing, c.err
}

// converter writes one section after the other.
type converter struct {
	values
	ctx     context.Context
	out     strings.Builder
	missing int
	notes   []note
	groups  map[string]*statement // of virtual servers
	tls     *scope                // the block SSL
	names   map[string]string     // of checkdefs, by their lines
	defined map[string]bool       // the checkdefs that were written
	uses    []string              // those of the current section
	written map[string]*statement // by the headers of sections
}

// note is what a comment says about a line.
type note struct {
	of  *statement
	why string
}

// collect finds what virtual servers refer to, and returns what stays with keepalived.
func (c *converter) collect(statements []*statement) (left []string) {
	for _, s := range statements {
		switch name := s.name(); {
		case name == "virtual_server":
		case name == "virtual_server_group":
			c.groups[s.arg(1)] = s
		case name == "SSL":
			c.tls = newScope(s, nil)
			c.unknown(s)
		case !slices.Contains(left, name):
			left = append(left, name)
		}
	}
	return left
}

// noEqual has a comment written for a line, one for each line.
func (c *converter) noEqual(s *statement, why string) {
	if !slices.ContainsFunc(c.notes, func(n note) bool { return n.of == s }) {
		c.notes = append(c.notes, note{s, why})
	}
}

// tell writes the comments in the order of the lines.
func (c *converter) tell() {
	slices.SortStableFunc(c.notes, func(a, b note) int { return a.of.at().Line - b.of.at().Line })
	for _, n := range c.notes {
		text := n.of.name()
		for _, w := range n.of.words[1:] {
			text += " " + w.text
		}
		text, more := printable.Cut(text, 80)
		fmt.Fprintf(&c.out, "# %s:%d: %s: no equal", printable.Text(n.of.at().File), n.of.at().Line,
			printable.Text(text+more))
		if n.why != "" {
			c.out.WriteString("; " + n.why)
		}
		c.out.WriteString("\n")
	}
	c.missing += len(c.notes)
	c.notes = nil
}

// unknown notes the words of a block, and of those in it, that are not converted.
func (c *converter) unknown(of *statement) {
	for _, s := range of.block {
		if slices.Contains(converted, s.name()) {
			c.unknown(s)
		} else {
			c.noEqual(s, hints[s.name()])
		}
	}
}

func (c *converter) virtualServer(s *statement) {
	c.out.WriteString("\n")
	c.unknown(s)
	own := newScope(s, nil)
	places := c.places(s, own)
	if c.err != nil {
		return
	}
	protocol := strings.ToLower(own.text("udp", "protocol"))
	if places[0].mark > 0 {
		protocol = "fwm"
	} else if own.find("protocol") == nil {
		c.noEqual(s, "it has no protocol, which means udp to keepalived 2")
	}
	servers := c.servers(s, own, places[0], protocol)
	if protocol == "sctp" || len(servers) == 0 {
		c.noEqual(s, "a section needs a real server, and tcp, udp or a firewall mark")
		c.tell()
		return
	}
	c.uses = nil
	lines := slices.Concat(c.service(own, protocol), c.inhibited(servers), c.quorum(own, servers), c.sorry(own, places[0]),
		c.checks(servers))
	for _, r := range servers {
		lines = append(lines, r.line())
	}
	if c.err == nil {
		c.sections(s, places, protocol, lines)
	}
}

// sections writes the section of each place. The parser takes every one that is written.
func (c *converter) sections(s *statement, places []place, protocol string, lines []string) {
	var sections strings.Builder
	blocks := strings.Join(c.uses, "")
	isTaken := false
	for _, p := range places {
		if first := c.written[p.header()+protocol]; first != nil {
			c.noEqual(s, fmt.Sprintf("line %d of %s has the same service", first.at().Line, first.at().File))
			continue
		}
		c.written[p.header()+protocol] = s
		text := p.header() + "\n        " + strings.Join(lines, "\n        ") + "\n"
		_, found := parser.Parse(c.ctx, "", []byte(blocks+text), parser.Options{})
		if errors := found.Errors(); len(errors) > 0 {
			c.noEqual(s, "ldirectord would refuse it: "+errors[0].Text)
			text = "# " + strings.ReplaceAll(strings.TrimSpace(text), "\n", "\n# ") + "\n"
		} else {
			isTaken = true
		}
		sections.WriteString("\n" + text)
	}
	c.tell()
	for _, block := range c.uses {
		if isTaken && !c.defined[block] {
			c.defined[block] = true
			c.out.WriteString("\n" + block)
		}
	}
	c.out.WriteString(sections.String())
}

// service are the lines of a virtual server about the kernel's service.
func (c *converter) service(own *scope, protocol string) []string {
	lines := []string{"protocol = " + protocol, "scheduler = " + own.text("wlc", "lb_algo", "lvs_sched")}
	var flags []string
	for _, flag := range []string{"flag-1", "flag-2", "flag-3", "sh-port", "sh-fallback", "mh-port", "mh-fallback"} {
		if own.find(flag) != nil {
			flags = append(flags, flag)
		}
	}
	if flags != nil {
		lines = append(lines, "schedflags = "+strings.Join(flags, ","))
	}
	if own.find("ops") != nil {
		lines = append(lines, "ops = yes")
	}
	if own.find("persistence_timeout") != nil {
		lines = append(lines, "persistent = "+own.text("360", "persistence_timeout"))
	}
	for _, pair := range [][2]string{{"persistence_granularity", "netmask"}, {"persistence_engine", "pename"},
		{"snmp_name", "servicename"}} {
		if value := own.text("", pair[0]); value != "" {
			lines = append(lines, pair[1]+" = "+value)
		}
	}
	return lines
}

// server is a real server.
type server struct {
	of      *statement
	scope   *scope
	address netip.Addr
	port    uint16
	six     string
	method  string
	weight  uint64
	limits  string         // of connections
	pair    string         // its own request and receive
	own     *regexp.Regexp // its address in other text
	checks  []check
}

func (r server) line() string {
	return fmt.Sprintf("real%s = %s %s %d%s%s", r.six, host(r.address, r.port), r.method, r.weight, r.pair, r.limits)
}

func (c *converter) servers(s *statement, virtual *scope, at place, protocol string) (all []server) {
	for _, of := range s.block {
		if of.name() != "real_server" {
			continue
		}
		own := newScope(of, virtual)
		r := server{of: of, scope: own, six: at.six(), method: c.method(own.find("lb_kind", "lvs_method")),
			weight: c.number(own.find("weight"), 1, 1<<31-1)}
		r.address, r.port = c.endpoint(of, 1)
		if r.address.Is6() != at.ipv6 {
			c.noEqual(of, "it is not of the address family of the service")
			continue
		}
		r.own = regexp.MustCompile(`(^|[^\w.:])` + regexp.QuoteMeta(r.address.String()) + `($|[^\w.])`)
		for _, limit := range [][2]string{{"lthreshold", "l"}, {"uthreshold", "u"}} {
			if n := c.number(own.find(limit[0]), 0, 1<<32-1); n > 0 {
				r.limits += fmt.Sprintf(" %s:%d", limit[1], n)
			}
		}
		for _, in := range of.block {
			r.checks = append(r.checks, c.checker(in, r, protocol)...)
		}
		all = append(all, r)
	}
	return all
}

// inhibited is quiescent, which is for all servers of a section.
func (c *converter) inhibited(servers []server) []string {
	var found []*statement
	for _, r := range servers {
		if s := r.scope.find("inhibit_on_failure"); c.yes(s) {
			found = append(found, s)
		}
	}
	if len(found) == len(servers) {
		return []string{"quiescent = yes"}
	}
	for _, s := range found {
		c.noEqual(s, "quiescent is for all servers of a section")
	}
	return nil
}

// quorum is minservers, which counts servers: it has a meaning where all have one weight.
func (c *converter) quorum(own *scope, servers []server) []string {
	s := own.find("quorum")
	quorum, margin := c.number(s, 1, 1<<31), c.number(own.find("hysteresis"), 0, 1<<31)
	if quorum <= 1 {
		return nil
	}
	weight := servers[0].weight
	if weight == 0 || slices.ContainsFunc(servers, func(r server) bool { return r.weight != weight }) {
		c.noEqual(s, "minservers counts servers, not their weights")
		return nil
	}
	if own.find("sorry_server") != nil {
		c.noEqual(s, "the fallback server serves when no server is up, not when there are fewer than the quorum")
	}
	if margin >= quorum {
		margin = 0
	}
	low, high := (quorum-margin+weight-1)/weight, (quorum+margin+weight-1)/weight
	if low == high {
		return []string{fmt.Sprintf("minservers = %d", low)}
	}
	return []string{fmt.Sprintf("minservers = %d/%d", low, high)}
}

// sorry is the fallback server.
func (c *converter) sorry(own *scope, at place) []string {
	s := own.find("sorry_server")
	if s == nil {
		return nil
	}
	address, port := c.endpoint(s, 1)
	if address.Is6() != at.ipv6 {
		c.noEqual(s, "it is not of the address family of the service")
		return nil
	}
	method := c.method(own.find("sorry_server_lvs_method", "lb_kind", "lvs_method"))
	return []string{fmt.Sprintf("fallback%s = %s %s", at.six(), host(address, port), method)}
}
