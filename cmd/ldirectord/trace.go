package main

import (
	"context"
	"fmt"
)

// trace shows what is said in the next checks that the running daemon makes of a server.
func trace(ctx context.Context, c *call) error {
	if c.found().Pid == 0 {
		return fmt.Errorf(
			"no daemon runs for %s: trace shows the checks of one that runs, probe makes them itself",
			c.path)
	}
	asked := c.server()
	asked.Set("for", c.last)
	return c.socket().Follow(ctx, "/trace?"+asked.Encode(), c.stdout)
}
