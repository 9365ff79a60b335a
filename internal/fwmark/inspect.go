package fwmark

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"ldirectord/internal/subprocess"
)

// BackEnd is the part of the kernel in which a program keeps its rules. A program of iptables sees only the rules of
// its own back end, but packets pass the rules of all back ends.
type BackEnd string

// The back ends.
const (
	Legacy BackEnd = "iptables-legacy"
	NFT    BackEnd = "iptables-nft"
	Native BackEnd = "nft" // rules that nft made, in tables that iptables does not read
)

// backEnds are the back ends of iptables.
var backEnds = []BackEnd{Legacy, NFT}

// Machine lists the rules on this machine that set or use firewall marks.
type Machine struct {
	BackEnd  BackEnd   // the back end of iptables; empty: unknown, or not installed
	Settings []Setting // rules for incoming packets, before IPVS gets them
	Outgoing []Setting // rules for packets that this machine sends
	Routing  []RoutingRule
	Filters  []string // commands that let an address, %s, pass a reverse path filter for IPv6
	Other    BackEnd  // the other back end of iptables, if it has rules in its mangle tables
	Unread   []string // what could not be read, with reasons
}

// NothingSets reports whether no rule for incoming packets gives packets of a family the given mark, or some of its
// bits without clearing others. It is false if some rules could not be read.
func (m Machine) NothingSets(mark uint32, ipv6 bool) bool {
	sets := func(s Setting) bool { return s.agrees(mark, wholeMark, ipv6, s.Restores || s.Unclear) }
	return len(m.Unread) == 0 && !slices.ContainsFunc(m.Settings, sets)
}

// Setting is a rule that sets the mark of packets. It is in the chain PREROUTING, INPUT or OUTPUT of the table mangle
// or raw, in a chain of nft at one of these hooks or at ingress, or in a chain that can be reached from one of those.
type Setting struct {
	BackEnd    BackEnd
	IPv6       bool   // with Native: in an ip6 table
	Chain      string // with its table unless that is mangle; with Native: family, table and chain
	Rule       string // as its program prints it; with Native: its handle
	Mark, Mask uint32 // the bits in Mask are set as in Mark; other bits stay
	Ours       bool   // in a chain of this or another daemon, see Firewall.Owns
	Restores   bool   // the bits in Mask are set as in the connection's mark
	Unclear    bool   // the bits in Mask are set to a value that is not known, such as one from a map of nft
	ByMap      bool   // only verdict maps of nft lead to the chain, so few packets may get there
}

// Gives reports whether packets of a family may have the given mark because of this rule: all bits that the rule sets
// must agree with the mark, and at least one of them must be 1.
func (s Setting) Gives(mark uint32, ipv6 bool) bool {
	return !s.Restores && s.agrees(mark, wholeMark, ipv6, false)
}

// Reaches is like Gives, but compares only the given bits of the marks, and assumes that a restored mark can have any
// value.
func (s Setting) Reaches(mark, bits uint32, ipv6 bool) bool {
	return s.agrees(mark, bits, ipv6, s.Restores)
}

// agrees reports whether a rule applies to packets of a family, sets at least one of the 1 bits of a mark, and sets no
// bit to another value than the mark has. It compares only the given bits. anyValue means that the values set by the
// rule are not known, so they may be those of the mark.
func (s Setting) agrees(mark, bits uint32, ipv6, anyValue bool) bool {
	bits &= s.Mask
	return s.isOf(ipv6) && mark&bits != 0 && (anyValue || (s.Mark^mark)&bits == 0)
}

// isOf reports whether a rule applies to packets of a family.
func (s Setting) isOf(ipv6 bool) bool {
	return s.IPv6 == ipv6 || s.BackEnd == Native && !strings.HasPrefix(s.Chain, "ip") // inet and netdev have both
}

// String describes the rule's effect on marks, and its place.
func (s Setting) String() string {
	does := "sets marks"
	switch {
	case s.Restores:
		does = "restores the marks of connections"
	case s.Mark&s.Mask == 0 && !s.Unclear:
		does = "clears marks"
	case s.Mask != wholeMark:
		does = "sets some bits of marks"
	}
	return fmt.Sprintf("a rule in chain %s (%s) %s: %s", s.Chain, s.BackEnd, does, s.Rule)
}

// Diverts describes a rule that may prevent this machine's packets with the given mark from reaching the virtual
// service of that mark. It returns "" if there is none. It prefers a rule that is known to set the mark of outgoing
// packets, then a rule of `ip rule`; for either, sure is true. Rules with Unclear or ByMap come last.
func (m Machine) Diverts(mark uint32, ipv6 bool) (rule string, sure bool) {
	for _, s := range m.Outgoing {
		if !s.isOf(ipv6) {
			continue
		}
		if !s.ByMap && !s.Unclear {
			return s.String(), true
		}
		rule = cmp.Or(rule, s.String())
	}
	for _, r := range m.Routing {
		if r.Uses(mark, ipv6) {
			return fmt.Sprintf("ip rule %d sends them to table %s", r.Priority, r.Table), true
		}
	}
	return rule, false
}

// RoutingRule is a rule of `ip rule` that uses marks.
type RoutingRule struct {
	IPv6       bool
	Priority   int
	Mark, Mask uint32
	Table      string
}

// Uses reports whether this rule routes packets of a family that have the given mark.
func (r RoutingRule) Uses(mark uint32, ipv6 bool) bool {
	return r.IPv6 == ipv6 && (r.Mark^mark)&r.Mask == 0 && r.Mask != 0
}

// Owns reports whether a rule is in a chain of this daemon.
func (f *Firewall) Owns(s Setting) bool { return number(s.Chain, f.families[0].prefix) > 0 }

// Inspect reads the rules of this machine, and changes nothing. Machine.Unread names what it can't read, for example
// because ctx ended.
func Inspect(ctx context.Context) (m Machine) {
	m.BackEnd = backEndHere(ctx)
	for _, b := range backEnds {
		for _, ipv6 := range []bool{false, true} {
			m.readTable(ctx, b, ipv6)
		}
	}
	if path, err := subprocess.Find("nft"); err == nil { // libnftables-json(5)
		m.readJSON(ctx, "nft", m.parseNFT, path, "-j", "list", "ruleset")
	}
	m.ReadRouting(ctx)
	return m
}

// backEndHere returns the back end of the program iptables, or "" if it is unknown or the program is not installed.
func backEndHere(ctx context.Context) BackEnd {
	path, err := subprocess.Find("iptables")
	if err != nil {
		return ""
	}
	return backEndOf(ctx, path)
}

// backEndOf returns the back end of a program, or "" if it is unknown. Before version 1.8, iptables had only the legacy
// one.
func backEndOf(ctx context.Context, path string) BackEnd {
	version, err := run(ctx, path, "--version")
	switch {
	case err != nil:
		return ""
	case strings.Contains(version, "(nf_tables)"):
		return NFT
	}
	return Legacy
}

// programOf returns the program that keeps its rules in a back end.
func programOf(b BackEnd, ipv6 bool) string {
	return strings.Replace(string(b), "iptables", iptablesOf(ipv6), 1)
}

// find returns the path of the program that lists a back end. The argument here is the back end of the program
// iptables.
func (b BackEnd) find(here BackEnd, ipv6 bool) (path string, err error) {
	path, err = subprocess.Find(programOf(b, ipv6))
	if err != nil && b == here { // before 1.8 the program was not named after its back end
		path, err = subprocess.Find(iptablesOf(ipv6))
	}
	return path, err
}

func (m *Machine) unread(what string, err error) {
	m.Unread = append(m.Unread, fmt.Sprintf("%s: %v", what, err))
}

func (m *Machine) readTable(ctx context.Context, b BackEnd, ipv6 bool) {
	name := programOf(b, ipv6)
	path, err := b.find(m.BackEnd, ipv6)
	if err != nil {
		return
	}
	for _, table := range []string{mangle, raw} {
		rules, err := listPresent(ctx, path, b, table, ipv6)
		if err != nil {
			m.unread(name, err)
			return
		}
		if ipv6 {
			m.Filters = append(m.Filters, rules.filters(name+" -t "+table)...)
		}
		m.Settings = append(m.Settings, rules.settings(table, b, ipv6, prerouting, "INPUT")...)
		m.Outgoing = append(m.Outgoing, rules.settings(table, b, ipv6, "OUTPUT")...)
		if table == mangle && b != m.BackEnd && rules.hasRules() {
			m.Other = b
		}
	}
}

func (l listing) hasRules() bool {
	for _, rules := range l {
		if len(rules) > 0 {
			return true
		}
	}
	return false
}

// settings returns the rules that set marks, in the given chains of a table and all chains that can be reached from
// them.
func (l listing) settings(table string, b BackEnd, ipv6 bool, from ...string) (list []Setting) {
	for _, chain := range l.reachable(from...) {
		for _, rule := range l[chain] {
			s, ok := markOf(rule)
			if !ok {
				continue
			}
			s.BackEnd, s.IPv6, s.Chain, s.Rule = b, ipv6, chain, rule
			s.Ours = strings.HasPrefix(chain, everyDaemon)
			if table != mangle {
				s.Chain += " of " + table
			}
			list = append(list, s)
		}
	}
	return list
}

// filters returns the commands for Machine.Filters that concern a table of ip6tables.
func (l listing) filters(table string) (list []string) {
	looksBack := func(rule string) bool { return slices.Contains(words(rule), "rpfilter") }
	for _, chain := range l.reachable(prerouting) {
		if slices.ContainsFunc(l[chain], looksBack) {
			list = append(list, fmt.Sprintf("%s -I %s -s %%s -j ACCEPT", table, chain))
		}
	}
	return list
}

// markOf returns the effect of a rule of `iptables -S` on the mark.
func markOf(rule string) (s Setting, ok bool) {
	switch target(rule) {
	case "MARK", "TPROXY":
		s.Mark, s.Mask, ok = parseMark(after(rule, "--set-xmark", "--set-mark", "--tproxy-mark"))
	case "CONNMARK":
		if s.Restores = slices.Contains(words(rule), "--restore-mark"); s.Restores {
			_, s.Mask, ok = parseMark("0/" + cmp.Or(after(rule, "--nfmask"), "0xffffffff"))
		}
	}
	return s, ok
}
