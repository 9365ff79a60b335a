package main

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"time"

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
	printOps(c, ops, severalChecks(l.Plan), drains(l.Plan))
	for _, command := range rules {
		fmt.Fprintln(c.out, command)
	}
	if len(ops)+len(rules) == 0 {
		fmt.Fprintln(c.out, "# nothing to change")
	}
	return nil
}

// place is a destination of a virtual service.
type place struct {
	key  ipvsctl.Key
	addr netip.AddrPort
}

// severalChecks are the names of the checks of each server that has more than one.
func severalChecks(p *director.Plan) map[place]string {
	names := map[place]string{}
	for _, s := range p.Services("") {
		for _, m := range s.Members {
			if len(m.Checks) > 1 {
				names[place{s.Key, m.Dest.Addr}] = strings.Join(m.Checks, ", ")
			}
		}
	}
	return names
}

// drains are the virtual services in which servers drain that leave the file, and how long.
func drains(p *director.Plan) map[ipvsctl.Key]time.Duration {
	times := map[ipvsctl.Key]time.Duration{}
	for _, s := range p.Services("") {
		times[s.Key] = s.Config.DrainTime.Duration()
	}
	return times
}

// printOps shows changes and when they are made. One that cannot be made is a comment, and what is within a
// virtual service that cannot be set up is left out.
func printOps(c *call, ops []ipvsctl.Op, several map[place]string, drains map[ipvsctl.Key]time.Duration) {
	missing := map[ipvsctl.Key]bool{}
	for _, op := range ops {
		err := op.Check()
		switch {
		case missing[op.Key]:
		case err != nil:
			missing[op.Key] = op.Kind == ipvsctl.AddService
			fmt.Fprintf(c.out, "# not made: %s: %v\n", op, err)
		case op.Kind == ipvsctl.AddDest && several[place{op.Key, op.Dest.Addr}] != "":
			fmt.Fprintf(c.out, "%s   # after the first success of %s\n", op, several[place{op.Key, op.Dest.Addr}])
		case op.Kind == ipvsctl.AddDest:
			fmt.Fprintf(c.out, "%s   # after its first successful check\n", op)
		case op.Kind == ipvsctl.DelDest && drains[op.Key] > 0:
			fmt.Fprintf(c.out, "%s   # one that leaves the file at a reload has %v to drain\n", op, drains[op.Key])
		default:
			fmt.Fprintln(c.out, op)
		}
	}
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
