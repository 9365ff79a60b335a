package shadow

import (
	"context"
	"sync/atomic"

	"ldirectord/checker"
	"ldirectord/checker/wire"
	"ldirectord/internal/lvs"
)

// follower replaces a check that would run a program. It considers the server up while it is in service in the live
// table. A server with weight 0 in the file is never in service there, and is up while it is in the table at all.
type follower struct {
	table  *atomic.Pointer[lvs.Table]
	at     place
	weight uint32 // as configured
}

// Check derives the result from the live table as it was last read.
func (f follower) Check(context.Context) checker.Result {
	t := *f.table.Load()
	_, isThere := t[f.at.key].Dests.At(f.at.addr)
	if f.at.serves(t) || f.weight == 0 && isThere {
		return checker.Result{OK: true, Stage: wire.AtMatch,
			Detail: "in service in the live table, which is followed"}
	}
	return checker.Result{Cause: checker.Program, Detail: "not in service in the live table, which is followed"}
}
