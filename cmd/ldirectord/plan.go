package main

import (
	"context"
	"fmt"

	"ldirectord/director"
	"ldirectord/fwmark"
	"ldirectord/ipvsctl"
)

// plan shows what the configuration would change: the table in the words of ipvsadm, the mark rules in those
// of iptables.
func plan(ctx context.Context, c *call) error {
	l, err := c.loadAndAdvise(ctx)
	if err != nil {
		return err
	}
	if err := c.accept(l); err != nil {
		return err
	}
	table, err := tableToCompare(ctx, c)
	if err != nil {
		return err
	}
	defer table.Close()
	have, err := table.Read(ctx)
	if err != nil {
		return fmt.Errorf("reading the table: %w", err)
	}
	if c.ipvs != defaultIPVS {
		fmt.Fprintln(c.out, "# compared with an empty table: one in memory is its daemon's own")
	}
	ops := ipvsctl.Diff(have, l.Plan.Preview())
	printOps(c, ops)
	rules, err := ruleChanges(ctx, c, l.Plan)
	if err != nil {
		return fmt.Errorf("reading the mark rules: %w", err)
	}
	for _, command := range rules {
		fmt.Fprintln(c.out, command)
	}
	if len(ops)+len(rules) == 0 {
		fmt.Fprintln(c.out, "# nothing to change")
	}
	return nil
}

// printOps shows changes and when they are made. One that cannot be made is a comment, and what is within a
// virtual service that cannot be set up is left out.
func printOps(c *call, ops []ipvsctl.Op) {
	missing := map[ipvsctl.Key]bool{}
	for _, op := range ops {
		err := op.Check()
		switch {
		case missing[op.Key]:
		case err != nil:
			missing[op.Key] = op.Kind == ipvsctl.AddService
			fmt.Fprintf(c.out, "# not made: %s: %v\n", op, err)
		case op.Kind == ipvsctl.AddDest:
			fmt.Fprintf(c.out, "%s   # after its first successful check\n", op)
		default:
			fmt.Fprintln(c.out, op)
		}
	}
}

// ruleChanges are the command lines of iptables that the mark rules of the configuration take.
func ruleChanges(ctx context.Context, c *call, p *director.Plan) ([]string, error) {
	if c.ipvs != defaultIPVS {
		return nil, nil
	}
	return fwmark.Open(c.instance().Chains()).Preview(ctx, p.Rules())
}

// tableToCompare is the table that the configuration would change. One in memory is the running daemon's
// own: compared is an empty one, and the daemon's copy of it in a file is left alone.
func tableToCompare(ctx context.Context, c *call) (ipvsctl.Client, error) {
	if c.ipvs != defaultIPVS {
		return ipvsctl.NewMemory(nil), nil
	}
	return ipvsctl.Open(ctx)
}
