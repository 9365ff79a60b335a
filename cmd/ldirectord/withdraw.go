package main

import (
	"time"

	"ldirectord/ipvsctl"
)

// quietTime is how long nothing must come for an address that is withdrawn.
const quietTime = 3 * time.Second

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
