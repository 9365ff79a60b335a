package fwmark

import (
	"context"
	"errors"
	"fmt"

	"ldirectord/internal/lvs"
)

// Firewall keeps the mark rules of one daemon. Its methods must not be called concurrently.
type Firewall struct{ families [2]*family }

// Open returns the firewall of the daemon with the given name. The names of its chains depend on that name. Open itself
// runs nothing: iptables is looked up when it is first needed.
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

// Sync sets exactly the desired rules, in their order. If two rules match a packet, the later one sets its mark. If no
// rules are desired, Sync removes our chains. Packets that both the old and the new rules mark are also marked during
// the change, even if the daemon is killed. In that case the next Sync finishes the change.
//
// It returns a line for each difference from the state that the last Sync left. The first Sync, and one after a
// failure, returns a line for each remnant of an interrupted run. Sync tries both families independently. If a rule
// can't be set, no rule of its family changes. If the table of a family that needs no rules can't be read, Sync still
// succeeds if it sets the rules of the other family. The next Sync then tries to read that table again. Reading takes 2
// ms. A change runs iptables once for each rule, which takes 3 to 6 s for 1000 rules.
func (f *Firewall) Sync(ctx context.Context, want []lvs.MarkRule) ([]string, error) {
	var (
		found    []string
		failures []error
	)
	for _, fam := range f.families {
		lines := linesOf(want, fam.ipv6)
		canWait := len(want) > 0 && fam.isIdle(lines)
		damage, err := fam.sync(ctx, lines)
		for _, d := range damage {
			found = append(found, fam.name+": "+d)
		}
		if err != nil && !canWait {
			failures = append(failures, fmt.Errorf("%s mark rules: %w", fam.name, err))
		}
	}
	return found, errors.Join(failures...)
}

// family is the IPv4 or the IPv6 part of a firewall.
type family struct {
	name   string
	ipv6   bool
	prefix string // of our chains
	tables tables

	known bool     // the table is as the last Sync left it, apart from changes by other programs or by hand
	set   []string // what the last successful Sync left
}

// isIdle reports whether no rules are wanted and the last Sync left none.
func (f *family) isIdle(want []string) bool { return len(want) == 0 && len(f.set) == 0 }

// sync reads and changes the table until it has the desired rules. If nothing differs, sync reads the table once, or
// not at all if no rules are wanted and the last sync left none.
func (f *family) sync(ctx context.Context, want []string) ([]string, error) {
	known, idle := f.known, f.isIdle(want)
	if known && idle {
		return nil, nil
	}
	f.known = false
	var found []string
	// A jump that must move to the front and lead to new rules needs two rounds.
	for round := range 3 {
		table, err := f.tables.list(ctx, idle)
		if err != nil {
			return found, err
		}
		now := readState(table, f.prefix)
		if round == 0 {
			found = damage(now, known, f.set)
		}
		commands := now.changes(want)
		if len(commands) == 0 {
			f.known, f.set = true, want
			return found, nil
		}
		failed, err := f.run(ctx, commands)
		if err == nil {
			continue
		}
		if from := table.leading(failed.chain); from != "" {
			err = fmt.Errorf("%w (a rule in chain %s jumps to it)", err, from)
		}
		return found, err
	}
	return found, errors.New("the rules differ from those that were set")
}

// run runs commands until one fails, and returns the failed command. After a failure it removes a new chain that has no
// jump yet, even if ctx has ended.
func (f *family) run(ctx context.Context, commands []command) (failed command, err error) {
	begun := ""
	for _, c := range commands {
		switch err := f.tables.run(ctx, c); {
		case err != nil && ctx.Err() != nil && c.option == newChain:
			// The abandoned run may still make the chain.
			_ = f.tables.run(context.WithoutCancel(ctx), command{option: removeChain, chain: c.chain})
			return c, err
		case err != nil && begun != "" && c.option != removeChain:
			ctx := context.WithoutCancel(ctx)
			return c, errors.Join(err, f.tables.run(ctx, command{option: removeChain, chain: begun}))
		case err != nil:
			return c, err
		case c.option == newChain:
			begun = c.chain
		case c.option == insertRule:
			begun = ""
		}
	}
	return command{}, nil
}
