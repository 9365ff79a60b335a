package main

import (
	"context"
	"fmt"

	"ldirectord/doctor"
	"ldirectord/fwmark"
	"ldirectord/ipvsctl"
)

// plan shows what the configuration would change: the table in the words of ipvsadm, the mark rules in those
// of iptables.
func (a *app) plan(ctx context.Context) int {
	if code := a.readable(ctx); code != exitOK {
		return code
	}
	for _, d := range doctor.Advise(ctx, a.loaded.config, a.ownsRule()) {
		fmt.Fprintln(a.stderr, wording(a.verb, d))
	}
	table, err := a.tableToCompare(ctx)
	if err != nil {
		fmt.Fprintf(a.stderr, "ldirectord: %v\n", err)
		return exitFailure
	}
	defer table.Close()
	have, err := table.Read(ctx)
	if err != nil {
		fmt.Fprintf(a.stderr, "ldirectord: reading the table: %v\n", err)
		return exitFailure
	}
	if a.ipvs != defaultIPVS {
		fmt.Fprintln(a.stdout, "# compared with an empty table: one in memory is its daemon's own")
	}
	ops := ipvsctl.Diff(have, a.loaded.plan.Preview())
	a.printOps(ops)
	rules, err := a.ruleChanges(ctx)
	if err != nil {
		fmt.Fprintf(a.stderr, "ldirectord: reading the mark rules: %v\n", err)
		return exitFailure
	}
	for _, command := range rules {
		fmt.Fprintln(a.stdout, command)
	}
	if len(ops)+len(rules) == 0 {
		fmt.Fprintln(a.stdout, "# nothing to change")
	}
	return exitOK
}

// printOps shows changes and when they are made. One that cannot be made is a comment, and what is within a
// virtual service that cannot be set up is left out.
func (a *app) printOps(ops []ipvsctl.Op) {
	missing := map[ipvsctl.Key]bool{}
	for _, op := range ops {
		err := op.Check()
		switch {
		case missing[op.Key]:
		case err != nil:
			missing[op.Key] = op.Kind == ipvsctl.AddService
			fmt.Fprintf(a.stdout, "# not made: %s: %v\n", op, err)
		case op.Kind == ipvsctl.AddDest:
			fmt.Fprintf(a.stdout, "%s   # after its first successful check\n", op)
		default:
			fmt.Fprintln(a.stdout, op)
		}
	}
}

// ruleChanges are the command lines of iptables that the mark rules of the configuration take.
func (a *app) ruleChanges(ctx context.Context) ([]string, error) {
	if a.ipvs != defaultIPVS {
		return nil, nil
	}
	return fwmark.Open(a.instance().Chains()).Preview(ctx, a.loaded.plan.Rules())
}

// tableToCompare is the table that the configuration would change. One in memory is the running daemon's
// own: compared is an empty one, and the daemon's copy of it in a file is left alone.
func (a *app) tableToCompare(ctx context.Context) (ipvsctl.Client, error) {
	if a.ipvs != defaultIPVS {
		return ipvsctl.NewMemory(nil), nil
	}
	return ipvsctl.Open(ctx)
}
