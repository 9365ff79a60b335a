package daemon

import (
	"context"
	"time"

	"ldirectord/internal/doctor"
	"ldirectord/internal/runfile"
)

// watchMachine checks whether this machine lacks anything that it needs to forward packets. It does so once per
// checkinterval, until ctx is done.
func (f *configFile) watchMachine(ctx context.Context) {
	machine, interval := doctor.NewMachine(f.current.Plan.Services), f.current.Config.Global.CheckInterval
	f.machine = machine
	if !f.d.Table.Machine { // a table in memory forwards nothing
		return
	}
	go func() {
		for f.d.director.Looked(ctx, machine.Look(time.Now())) == nil &&
			runfile.Pause(ctx, max(interval.Duration(), pollInterval)) {
		}
	}()
}
