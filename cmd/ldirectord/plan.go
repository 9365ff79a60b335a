package main

import (
	"context"
	"fmt"
	"slices"

	"ldirectord/daemon"
	"ldirectord/director"
	"ldirectord/doctor"
	"ldirectord/fwmark"
	"ldirectord/ipvsctl"
)

// plan shows what the configuration would change: the table in the words of ipvsadm, the mark rules in those
// of iptables, and then addresses that are announced while their services are healthy. Orders hold in all of them.
func plan(ctx context.Context, c *call) error {
	l, err := c.loadAndAdvise(ctx)
	if err != nil {
		return err
	}
	if err := c.accept(l); err != nil {
		return err
	}
	orders, err := daemon.Ordered(c.instance())
	if err != nil {
		return err
	}
	have, commands, err := machine(ctx, c, l.Plan, orders)
	if err != nil {
		return err
	}
	ops := ipvsctl.Diff(have, l.Plan.Preview(orders))
	waits := map[ipvsctl.Key]bool{}
	for _, check := range l.Plan.Checks() {
		if check.Waits != "" {
			waits[check.Key] = true
			fmt.Fprintf(c.out, "# %s of %s is unknown: %s\n", check.Real, check.Virtual, check.Waits)
		}
	}
	printOps(c, ops, waits)
	for _, command := range commands {
		fmt.Fprintln(c.out, command)
	}
	if len(ops)+len(commands) == 0 {
		fmt.Fprintln(c.out, "# nothing to change")
	}
	return nil
}

// printOps shows changes and when they are made. One that cannot be made is a comment, and what is within a
// virtual service that cannot be set up is left out. Waits are virtual services with a server that has no address.
func printOps(c *call, ops []ipvsctl.Op, waits map[ipvsctl.Key]bool) {
	missing := map[ipvsctl.Key]bool{}
	for _, op := range ops {
		err, when := op.Check(), ""
		if op.Kind == ipvsctl.AddDest {
			when = "   # after its first successful check"
		}
		if op.Kind == ipvsctl.DelDest && waits[op.Key] {
			when = "   # unless it is to stay until every name has an address"
		}
		switch {
		case missing[op.Key]:
		case err != nil:
			missing[op.Key] = op.Kind == ipvsctl.AddService
			fmt.Fprintf(c.out, "# not made: %s: %v\n", op, err)
		default:
			fmt.Fprintf(c.out, "%s%s\n", op, when)
		}
	}
}

// machine reads the table that the configuration would change, and which command lines its mark rules and addresses take.
// A table in memory is the running daemon's own: compared is an empty one, and nothing beside it changes.
func machine(ctx context.Context, c *call, p *director.Plan, orders director.Orders) (have ipvsctl.Table, commands []string, err error) {
	if c.ipvs != defaultIPVS {
		fmt.Fprintln(c.out, "# compared with an empty table: one in memory is its daemon's own")
		return nil, nil, nil
	}
	table, err := ipvsctl.Open(ctx)
	if err != nil {
		return nil, nil, err
	}
	defer table.Close()
	if have, err = table.Read(ctx); err != nil {
		return nil, nil, fmt.Errorf("reading the table: %w", err)
	}
	rules, err := fwmark.Open(c.instance().Chains()).Preview(ctx, p.Rules())
	if err != nil {
		return nil, nil, fmt.Errorf("reading the mark rules: %w", err)
	}
	wanted := doctor.Wanted(p.Services(""))
	for i := range wanted {
		if w := &wanted[i]; orders.Withdrawal(w.Addr).Kind != "" {
			w.Device, w.Local = "", true // it is served on
		}
	}
	addresses, err := daemon.Announcements(c.instance()).Preview(wanted)
	return have, slices.Concat(rules, addresses), err
}
