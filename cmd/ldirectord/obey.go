package main

import (
	"context"
	"fmt"

	"ldirectord/daemon"
)

// obeyChecks lets checks take out servers that keepserving holds, until all are up; with --off not any more.
func obeyChecks(ctx context.Context, c *call) error {
	id, err := daemon.Obey(ctx, c.socket(), c.args[0], c.off)
	switch {
	case err != nil:
		return err
	case c.off:
		fmt.Fprintf(c.out, "keepserving guards %s again\n", id)
	default:
		fmt.Fprintf(c.out, "the checks of %s have their way until every server is up\n", id)
	}
	return nil
}
