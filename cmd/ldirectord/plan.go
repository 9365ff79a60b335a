package main

import (
	"context"
	"fmt"
	"strings"

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
	have, rules, err := machine(ctx, c, l.Plan)
	if err != nil {
		return err
	}
	ops := ipvsctl.Diff(have, l.Plan.Preview())
	printOps(c, ops, l.Plan.Services(""))
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
func printOps(c *call, ops []ipvsctl.Op, planned []director.Service) {
	services := map[ipvsctl.Key]director.Service{}
	for _, s := range planned {
		services[s.Key] = s
	}
	missing := map[ipvsctl.Key]bool{}
	for _, op := range ops {
		err := op.Check()
		switch {
		case missing[op.Key]:
		case err != nil:
			missing[op.Key] = op.Kind == ipvsctl.AddService
			fmt.Fprintf(c.out, "# not made: %s: %v\n", op, err)
		default:
			fmt.Fprintf(c.out, "%s%s\n", op, remark(op, services[op.Key]))
		}
	}
}

// remark says when a change within a virtual service is made that is not made at once.
func remark(op ipvsctl.Op, s director.Service) string {
	switch {
	case s.Config == nil: // it leaves the file
	case op.Kind == ipvsctl.AddDest:
		if len(s.Config.Checks()) > 1 {
			for _, m := range s.Members {
				if m.Dest.Addr == op.Dest.Addr && len(m.Checks) > 1 {
					return "   # after the first success of " + strings.Join(m.Checks, ", ")
				}
			}
		}
		return "   # after its first successful check"
	case op.Kind == ipvsctl.DelDest && s.Config.DrainTime > 0:
		return fmt.Sprintf("   # one that leaves the file at a reload has %v to drain", s.Config.DrainTime.Duration())
	}
	return ""
}

// machine reads the table that the configuration would change, and which command lines of iptables its mark rules take.
// A table in memory is the running daemon's own: compared is an empty one, without mark rules.
func machine(ctx context.Context, c *call, p *director.Plan) (have ipvsctl.Table, rules []string, err error) {
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
	if rules, err = fwmark.Open(c.instance().Chains()).Preview(ctx, p.Rules()); err != nil {
		return nil, nil, fmt.Errorf("reading the mark rules: %w", err)
	}
	return have, rules, nil
}
