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
	mu    sync.Mutex
	sides [2]*side
}

// Open makes the firewall of the daemon of that name, which its chains are named after; daemons of other
// names have other chains. It does nothing yet: iptables is looked for when there is something to do.
func Open(name string) *Firewall {
	return open(name, &xtables{program: "iptables"}, &xtables{program: "ip6tables", ipv6: true})
}

func open(name string, ipv4, ipv6 tables) *Firewall {
	prefix := chainPrefix(name)
	return &Firewall{sides: [2]*side{
		{family: "IPv4", prefix: prefix, tables: ipv4},
		{family: "IPv6", prefix: prefix, tables: ipv6, ipv6: true},
	}}
}

// Sync makes the rules that are wanted stand, in their order (of two that match a packet the later one's mark
// stays), and no others of ours; none wanted removes our chains. A packet that is marked before and after is
// marked at every moment between, also when we are killed at any of them; the next Sync finishes what was begun.
//
// It returns a line for everything that was not as the last Sync left it, or, at the first, for what a run that
// was cut short left behind. A rule that cannot be set is an error, which changes nothing. Each family is tried,
// whatever becomes of the other. A look takes 2 ms; a change runs iptables for every rule, 1000 of them 3 to 6 s.
func (f *Firewall) Sync(ctx context.Context, want []Rule) ([]string, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	var lines [2][]string
	for i, side := range f.sides {
		var err error
		if lines[i], err = linesOf(want, side.ipv6); err != nil {
			return nil, err
		}
	}
	var (
		found    []string
		failures []error
	)
	for i, side := range f.sides {
		damage, err := side.sync(ctx, lines[i])
		for _, d := range damage {
			found = append(found, side.family+": "+d)
		}
		if err != nil {
			failures = append(failures, fmt.Errorf("%s mark rules: %w", side.family, err))
		}
	}
	return found, errors.Join(failures...)
}

// side is one family's half of a firewall.
type side struct {
	family string
	ipv6   bool
	prefix string
	tables tables

	known bool     // what stands is what the last Sync left, as far as we did it
	set   []string // what the last Sync that succeeded left
}

// sync reads the table, changes it and reads it again, until it is right. Most often the first look is all.
func (s *side) sync(ctx context.Context, want []string) ([]string, error) {
	if s.known && len(want) == 0 && len(s.set) == 0 {
		return nil, nil
	}
	known, idle := s.known, len(want) == 0 && len(s.set) == 0
	s.known = false
	var found []string
	// A jump that is to move to the front and to lead to new rules takes two rounds.
	for round := range 3 {
		table, err := s.tables.list(ctx, idle)
		if err != nil {
			return found, err
		}
		now := readState(table, s.prefix)
		if round == 0 {
			found = damage(now, known, s.set)
		}
		if now.right(want) {
			s.known, s.set = true, want
			return found, nil
		}
		if err := s.change(ctx, now, want); err != nil {
			return found, err
		}
	}
	return found, errors.New("the rules are not as they were set")
}

// change puts a generation with the wanted rules in, unless one stands, then takes the others out. Its jump
// comes behind those of the others: while both stand, the new mark is the one that stays.
func (s *side) change(ctx context.Context, now state, want []string) error {
	keep, ok := now.standing(want)
	if !ok && len(want) > 0 {
		keep = now.free(s.prefix)
		if err := s.build(ctx, keep, want); err != nil {
			return err
		}
		if err := s.tables.insertRule(ctx, prerouting, now.behind, jumpTo(keep)); err != nil {
			return errors.Join(err, s.discard(ctx, keep))
		}
	}
	for _, g := range now.generations {
		if g.chain == keep {
			continue
		}
		if err := s.remove(ctx, g); err != nil {
			if from := now.elsewhere[g.chain]; from != "" {
				return fmt.Errorf("%w (a rule of chain %s leads to it)", err, printable.Text(from))
			}
			return err
		}
	}
	return nil
}

// build fills a new chain, or leaves none.
func (s *side) build(ctx context.Context, chain string, rules []string) error {
	if err := s.tables.newChain(ctx, chain); err != nil {
		return err
	}
	for _, rule := range rules {
		if err := s.tables.appendRule(ctx, chain, rule); err != nil {
			return errors.Join(err, s.discard(ctx, chain))
		}
	}
	return nil
}

// discard removes a chain that came to nothing, also when that is because time is up.
func (s *side) discard(ctx context.Context, chain string) error {
	return s.tables.removeChain(context.WithoutCancel(ctx), chain)
}

func (s *side) remove(ctx context.Context, g generation) error {
	for _, jump := range g.jumps {
		if err := s.tables.deleteRule(ctx, prerouting, jump); err != nil {
			return err
		}
	}
	return s.tables.removeChain(ctx, g.chain)
}
