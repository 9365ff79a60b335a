package main

import (
	"context"
	"time"

	"ldirectord/director"
	"ldirectord/ipvsctl"
)

// quietTime is how long nothing must come for an address that is withdrawn.
const quietTime = 3 * time.Second

// withdraw orders that an address, or every one, is not announced, or is again.
func withdraw(kind director.OrderKind) func(context.Context, *call) error {
	return func(ctx context.Context, c *call) error {
		return setServers(ctx, c, []string{append(c.args, director.EveryAddress)[0], ""}, string(kind))
	}
}

// quiet reports whether nothing came for quietTime, by how many packets came so far. Connections say less: with gate
// they go on over another director, and stay in the table here.
func quiet() func(ipvsctl.Counters) bool {
	last, since := uint64(0), time.Now()
	return func(carry ipvsctl.Counters) bool {
		if packets := carry.Traffic.PacketsIn; packets != last {
			last, since = packets, time.Now()
		}
		return time.Since(since) >= quietTime
	}
}
