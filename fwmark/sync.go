package fwmark

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"ldirectord/printable"
)

// Firewall keeps the mark rules of one daemon. Its methods may be called from any goroutine.
type Firewall struct {
	mu       sync.Mutex
	families [2]*family
}

// Open makes the firewall of the daemon of that name, which its chains are named after; daemons of other
// names have other chains. It does nothing yet: iptables is looked for when there is something to do.
func Open(name string) *Firewall {
	return open(name, &xtables{program: iptablesOf(false)}, &xtables{program: iptablesOf(true), ipv6: true})
}

func open(name string, ipv4, ipv6 tables) *Firewall {
	prefix := chainPrefix(name)
	return &Firewall{families: [2]*family{
		{name: "IPv4", prefix: prefix, tables: ipv4},
		{name: "IPv6", prefix: prefix, tables: ipv6, ipv6: true},
	}}
}

// Sync makes our rules exactly the wanted ones, in their order: of two that match a packet, the later one sets its
// mark. Without wanted rules it removes our chains. A packet that is marked before and after is marked all the time
// between, also when we are killed at any moment; the next Sync finishes what was begun.
//
// It returns a line for everything that was not as the last Sync left it, or, at the first Sync, for what a run that
// was cut short left. Each family is tried, whatever becomes of the other; where a rule can't be set, nothing of its
// family is changed. Reading takes 2 ms; a change runs iptables for every rule, 1000 of them take 3 to 6 s.
func (f *Firewall) Sync(ctx context.Context, want []Rule) ([]string, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	var (
		found    []string
		failures []error
	)
	for _, fam := range f.families {
		damage, err := fam.sync(ctx, linesOf(want, fam.ipv6))
		for _, d := range damage {
			found = append(found, fam.name+": "+d)
		}
		if err != nil {
			failures = append(failures, fmt.Errorf("%s mark rules: %w", fam.name, err))
		}
	}
	return found, errors.Join(failures...)
}

// family is a firewall's IPv4 or IPv6 half.
type family struct {
	name   string
	ipv6   bool
	prefix string // of our chains
	tables tables

	known bool     // the table is as the last Sync left it, as far as we changed it
	set   []string // what the last Sync that succeeded left
}

// sync reads the table, changes it and reads it again, until it is right. Most often reading it once is all.
func (f *family) sync(ctx context.Context, want []string) ([]string, error) {
	known, idle := f.known, len(want) == 0 && len(f.set) == 0
	if known && idle {
		return nil, nil
	}
	f.known = false
	var found []string
	// A jump that has to move to the front and to lead to new rules takes two rounds.
	for round := range 3 {
		table, err := f.tables.list(ctx, idle)
		if err != nil {
			return found, err
		}
		now := readState(table, f.prefix)
		if round == 0 {
			found = damage(now, known, f.set)
		}
		if now.is(want) {
			f.known, f.set = true, want
			return found, nil
		}
		if err := f.change(ctx, now, want); err != nil {
			return found, err
		}
	}
	return found, errors.New("the rules are not as they were set")
}

// change adds a generation with the wanted rules, unless there is one, then removes the others. Its jump comes after
// theirs: while both are there, the new one sets the mark.
func (f *family) change(ctx context.Context, now state, want []string) error {
	keep, ok := now.current(want)
	if !ok && len(want) > 0 {
		keep = now.unused(f.prefix)
		if err := f.build(ctx, keep, want); err != nil {
			return err
		}
		jump := command{option: insertRule, chain: prerouting, position: now.jumpAt, rule: jumpTo(keep)}
		if err := f.tables.run(ctx, jump); err != nil {
			return errors.Join(err, f.discard(ctx, keep))
		}
	}
	for _, g := range now.generations {
		if g.chain == keep {
			continue
		}
		if err := f.remove(ctx, g); err != nil {
			if from := now.otherJumps[g.chain]; from != "" {
				return fmt.Errorf("%w (a rule of chain %s leads to it)", err, printable.Text(from))
			}
			return err
		}
	}
	return nil
}

// build makes a new chain with rules, or leaves none.
func (f *family) build(ctx context.Context, chain string, rules []string) error {
	if err := f.tables.run(ctx, command{option: newChain, chain: chain}); err != nil {
		return err
	}
	for _, rule := range rules {
		if err := f.tables.run(ctx, command{option: appendRule, chain: chain, rule: rule}); err != nil {
			return errors.Join(err, f.discard(ctx, chain))
		}
	}
	return nil
}

// discard removes a chain that could not be completed, also when that is because time is up.
func (f *family) discard(ctx context.Context, chain string) error {
	return f.tables.run(context.WithoutCancel(ctx), command{option: removeChain, chain: chain})
}

func (f *family) remove(ctx context.Context, g generation) error {
	for _, jump := range g.jumps {
		if err := f.tables.run(ctx, command{option: deleteRule, chain: prerouting, rule: jump}); err != nil {
			return err
		}
	}
	return f.tables.run(ctx, command{option: removeChain, chain: g.chain})
}
