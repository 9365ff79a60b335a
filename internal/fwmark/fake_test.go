package fwmark

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"ldirectord/internal/lvs"
)

var (
	errKilled = errors.New("killed")
	errUsed   = errors.New("too many links")
)

// fakeTables is a mangle table in memory. A run of iptables is one step. Rules are printed as iptables 1.8.9 prints
// them.
type fakeTables struct {
	chains  listing
	lists   int
	steps   int
	killAt  int          // this step and all after it are not done, as if the daemon was killed; 0: none
	refuse  string       // a rule that has this text cannot be added
	watcher func(string) // called after every step
}

func newFake() *fakeTables {
	return &fakeTables{chains: listing{prerouting: nil, "OUTPUT": nil}}
}

func (f *fakeTables) step(what string, do func() error) error {
	f.steps++
	if f.killAt > 0 && f.steps >= f.killAt {
		return errKilled
	}
	if err := do(); err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	if f.watcher != nil {
		f.watcher(what)
	}
	return nil
}

func (f *fakeTables) list(ctx context.Context, _ bool) (listing, error) {
	f.lists++
	copied := listing{}
	for chain, rules := range f.chains {
		copied[chain] = slices.Clone(rules)
	}
	return copied, ctx.Err()
}

func (f *fakeTables) run(ctx context.Context, c command) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	rules, there := f.chains[c.chain]
	if c.option == removeChain {
		return f.remove(c.chain, there)
	}
	return f.step(c.String(), func() error {
		switch c.option {
		case newChain:
			if there {
				return errors.New("Chain already exists.")
			}
			f.chains[c.chain] = nil
			return nil
		case deleteRule:
			i := slices.Index(rules, printed(c.rule))
			if i < 0 {
				return errors.New("Bad rule (does a matching rule exist in that chain?).")
			}
			f.chains[c.chain] = slices.Delete(rules, i, i+1)
			return nil
		case appendRule:
			c.position = len(rules) + 1
		}
		if _, known := f.chains[target(c.rule)]; !there || !known && target(c.rule) != "MARK" {
			return errors.New("No chain/target/match by that name.")
		}
		if f.refuse != "" && strings.Contains(c.rule, f.refuse) {
			return errors.New("Extension not supported, missing kernel module?")
		}
		if c.position > len(rules)+1 {
			return errors.New("Index of insertion too big.")
		}
		f.chains[c.chain] = slices.Insert(rules, c.position-1, printed(c.rule))
		return nil
	})
}

func (f *fakeTables) remove(chain string, there bool) error {
	if !there {
		return nil
	}
	if err := f.step("-F "+chain, func() error { f.chains[chain] = nil; return nil }); err != nil {
		return err
	}
	return f.step("-X "+chain, func() error {
		for _, rules := range f.chains {
			if slices.ContainsFunc(rules, func(r string) bool { return target(r) == chain }) {
				return errUsed
			}
		}
		delete(f.chains, chain)
		return nil
	})
}

// printed is a rule as `iptables -S` shows it.
func printed(rule string) string {
	l, ok := parseLine(words(rule))
	if !ok {
		return rule
	}
	var b strings.Builder
	if l.Dest.IsValid() {
		fmt.Fprintf(&b, "-d %s ", l.Dest)
	}
	if l.Protocol != "all" {
		fmt.Fprintf(&b, "-p %s ", l.Protocol)
	}
	switch {
	case len(l.Ports) == 1:
		fmt.Fprintf(&b, "-m %s --dport %s ", l.Protocol, l.Ports[0])
	case len(l.Ports) > 1:
		fmt.Fprintf(&b, "-m multiport --dports %s ", lvs.List(l.Ports))
	}
	fmt.Fprintf(&b, "-j MARK --set-xmark %#x/0xffffffff", l.Mark)
	return b.String()
}

// packet is an incoming packet.
type packet struct {
	dest     netip.Addr
	protocol string
	port     uint16
}

// mark is the mark of a packet after PREROUTING.
func (f *fakeTables) mark(p packet) uint32 { return f.pass(p, prerouting, 0) }

func (f *fakeTables) pass(p packet, chain string, mark uint32) uint32 {
	for _, rule := range f.chains[chain] {
		if _, isChain := f.chains[target(rule)]; isChain {
			mark = f.pass(p, target(rule), mark)
		} else if l, ok := parseLine(words(rule)); ok && matches(l, p) {
			mark = l.Mark
		}
	}
	return mark
}

func matches(l lvs.MarkRule, p packet) bool {
	inPorts := func(r lvs.Ports) bool { return r.First <= p.port && p.port <= r.Last }
	return (!l.Dest.IsValid() || l.Dest.Contains(p.dest)) && (l.Protocol == "all" || l.Protocol == p.protocol) &&
		(len(l.Ports) == 0 || slices.ContainsFunc(l.Ports, inPorts))
}

// markWanted is the mark that these rules give a packet: the last one that matches decides.
func markWanted(rules []lvs.MarkRule, p packet) uint32 {
	mark := uint32(0)
	for _, r := range rules {
		if matches(r, p) {
			mark = r.Mark
		}
	}
	return mark
}

// rule reads a rule as the directive has it: 8 192.0.2.10 tcp 80,443.
func rule(t testing.TB, text string) lvs.MarkRule {
	t.Helper()
	var (
		r               lvs.MarkRule
		dest, proto, ps string
	)
	if _, err := fmt.Sscan(text, &r.Mark, &dest, &proto, &ps); err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	var ok bool
	if r.Dest, ok = parseDest(dest); !ok {
		t.Fatalf("%q: no address", text)
	}
	r.Protocol = proto
	if ps != "all" {
		if r.Ports, ok = parsePorts(ps); !ok {
			t.Fatalf("%q: no ports", text)
		}
	}
	return r
}

func rules(t testing.TB, texts ...string) []lvs.MarkRule {
	t.Helper()
	var all []lvs.MarkRule
	for _, text := range texts {
		all = append(all, rule(t, text))
	}
	return all
}

// mustHave checks that the daemon's chains have exactly these rules, after one jump in first place, or that there are
// none.
func (f *fakeTables) mustHave(t testing.TB, daemon string, want []lvs.MarkRule) {
	t.Helper()
	lines := linesOf(want, false)
	var ours []string
	jumps := 0
	for chain, rules := range f.chains {
		if strings.HasPrefix(chain, chainPrefix(daemon)) {
			ours = append(ours, chain)
		}
		for _, r := range rules {
			if strings.HasPrefix(target(r), chainPrefix(daemon)) {
				jumps++
			}
		}
	}
	switch {
	case len(want) == 0 && len(ours) == 0 && jumps == 0:
	case len(want) == 0:
		t.Fatalf("still there: %v, %d jumps", f.chains, jumps)
	case len(ours) != 1 || jumps != 1 || f.chains[prerouting][0] != "-j "+ours[0]:
		t.Fatalf("not one chain with one first jump: %v", f.chains)
	case !slices.Equal(readState(f.chains, chainPrefix(daemon)).generations[0].rules, lines):
		t.Fatalf("rules\n%s\nwanted\n%s", strings.Join(f.chains[ours[0]], "\n"), strings.Join(lines, "\n"))
	}
}
