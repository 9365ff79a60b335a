package main

import (
	"context"
	"fmt"

	"ldirectord/checker"
	"ldirectord/ipvsctl"
)

// plan shows, in the words of ipvsadm, what the configuration would change in the table.
func (a *app) plan(ctx context.Context) int {
	env := newEnvironment(checker.NewPinger())
	defer env.close()
	l, err := a.load(ctx, env.checks())
	if err != nil {
		fmt.Fprintln(a.stderr, err)
		return exitFailure
	}
	l.tell(a.stderr)
	if l.plan == nil {
		return exitConfig
	}
	table, err := a.openTable(ctx)
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
	ops := ipvsctl.Diff(have, l.plan.Preview())
	for _, op := range ops {
		note := ""
		if op.Kind == ipvsctl.AddDest {
			note = "   # after its first successful check"
		}
		fmt.Fprintf(a.stdout, "%s%s\n", op, note)
	}
	if len(ops) == 0 {
		fmt.Fprintln(a.stdout, "# nothing to change")
	}
	return exitOK
}
