package fwmark

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"ldirectord/program"
)

// BackEnd is the part of the kernel that a program keeps its rules in. The programs of one do not see the rules of the
// other, and packets pass both.
type BackEnd string

// The back ends.
const (
	Legacy BackEnd = "iptables-legacy"
	NFT    BackEnd = "iptables-nft"
	Native BackEnd = "nft" // rules that nft made, in tables that iptables does not read
)

// Machine is what sets and uses firewall marks on this machine.
type Machine struct {
	BackEnd  BackEnd // what iptables is here; empty: not installed
	Settings []Setting
	Routing  []RoutingRule
	Other    bool     // the back end that iptables is not has rules in its mangle tables
	Unread   []string // what could not be looked at, and why
}

// NothingSets reports whether no rule on this machine gives packets of a family that mark, or a bit of it, and all
// could be looked at.
func (m Machine) NothingSets(mark uint32, ipv6 bool) bool {
	return len(m.Unread) == 0 && !slices.ContainsFunc(m.Settings, func(s Setting) bool { return s.Gives(mark, ipv6) })
}

// Setting is a rule that sets the mark of packets that come in: in PREROUTING of the mangle table, in a chain
// that it leads to, or in a chain of nft at that hook.
type Setting struct {
	BackEnd    BackEnd
	IPv6       bool   // with Native: of an ip6 table
	Chain      string // with Native: family, table and chain
	Rule       string // as its program prints it; with Native: its handle
	Mark, Mask uint32 // the bits of Mask become those of Mark; the others stay
	Ours       bool   // in a chain of a daemon, this one or another; see Firewall.Owns
}

// Gives reports whether packets of a family may have that mark by this rule: the bits that it sets are those of
// the mark, and at least one of them is 1.
func (s Setting) Gives(mark uint32, ipv6 bool) bool {
	family := s.IPv6 == ipv6 || s.BackEnd == Native && !strings.HasPrefix(s.Chain, "ip") // inet and netdev have both
	return family && (s.Mark^mark)&s.Mask == 0 && s.Mark&s.Mask != 0
}

// RoutingRule is a rule of `ip rule` that looks at the mark.
type RoutingRule struct {
	IPv6       bool
	Priority   int
	Mark, Mask uint32
	Table      string
}

// Uses reports whether packets of a family with that mark are routed by this rule.
func (r RoutingRule) Uses(mark uint32, ipv6 bool) bool {
	return r.IPv6 == ipv6 && (r.Mark^mark)&r.Mask == 0 && r.Mask != 0
}

// Owns reports whether a rule is in a chain of this daemon.
func (f *Firewall) Owns(s Setting) bool { return number(s.Chain, f.families[0].prefix) > 0 }

// Inspect reads and changes nothing. What can't be read is in Unread; an error is ctx's.
func Inspect(ctx context.Context) (Machine, error) {
	var m Machine
	if path, err := program.Find("iptables"); err == nil {
		m.BackEnd = backEndOf(ctx, path)
	}
	for _, b := range []BackEnd{Legacy, NFT} {
		for _, ipv6 := range []bool{false, true} {
			m.readTable(ctx, b, ipv6)
		}
	}
	m.readNFT(ctx)
	m.ReadRouting(ctx)
	return m, ctx.Err()
}

// backEndOf is that of a program, or empty where it does not tell. Before 1.8 there was only one.
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

// programOf keeps its rules in a back end.
func programOf(b BackEnd, ipv6 bool) string {
	return strings.Replace(string(b), "iptables", iptablesOf(ipv6), 1)
}

func (m *Machine) unread(what string, err error) {
	m.Unread = append(m.Unread, fmt.Sprintf("%s: %v", what, err))
}

func (m *Machine) readTable(ctx context.Context, b BackEnd, ipv6 bool) {
	name := programOf(b, ipv6)
	path, err := program.Find(name)
	if err != nil && b == m.BackEnd { // before 1.8 the program was not called by its back end
		path, err = program.Find(iptablesOf(ipv6))
	}
	if err != nil {
		return
	}
	table, err := listPresent(ctx, path, b, mangle, ipv6)
	if err != nil {
		m.unread(name, err)
		return
	}
	m.addSettings(table, b, ipv6)
	m.Other = m.Other || b != m.BackEnd && table.rules() > 0
}

func (m *Machine) addSettings(table listing, b BackEnd, ipv6 bool) {
	for _, chain := range table.reachable() {
		for _, rule := range table[chain] {
			if mark, mask, ok := markOf(rule); ok {
				m.Settings = append(m.Settings, Setting{
					BackEnd: b, IPv6: ipv6, Chain: chain, Rule: rule, Mark: mark, Mask: mask,
					Ours: strings.HasPrefix(chain, everyDaemon),
				})
			}
		}
	}
}

func (l listing) rules() int {
	count := 0
	for _, rules := range l {
		count += len(rules)
	}
	return count
}

// markOf is what a rule of `iptables -S` makes of the mark.
func markOf(rule string) (mark, mask uint32, ok bool) {
	if !slices.Contains([]string{"MARK", "TPROXY"}, target(rule)) {
		return 0, 0, false
	}
	return parseMark(after(rule, "--set-xmark", "--set-mark", "--tproxy-mark"))
}
