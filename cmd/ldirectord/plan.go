package main

import (
	"context"
	"fmt"

	"ldirectord/ipvsctl"
)

// plan shows, in the words of ipvsadm, what the configuration would change in the table.
func (a *app) plan(ctx context.Context) int {
	if code := a.readable(ctx); code != exitOK {
		return code
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
	ops := ipvsctl.Diff(have, a.loaded.plan.Preview())
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

// tableToCompare is the table that the configuration would change. One in memory is the running daemon's
// own: compared is an empty one, and the daemon's copy of it in a file is left alone.
func (a *app) tableToCompare(ctx context.Context) (ipvsctl.Client, error) {
	if a.ipvs != defaultIPVS {
		return ipvsctl.NewMemory(nil), nil
	}
	return ipvsctl.Open(ctx)
}
