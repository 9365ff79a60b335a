package daemon

import (
	"context"
	"time"

	"ldirectord/internal/doctor"
	"ldirectord/internal/runfile"
)

// watchMachine checks whether this machine lacks anything that it needs to forward packets. It does so once per
// checkinterval, until ctx is done. After a start, it does so each second until nothing is broken: a device may only
// just be coming up, and the previous daemon may have withdrawn addresses because of the same fault.
func (f *configFile) watchMachine(ctx context.Context) {
	machine, interval := doctor.NewMachine(f.current.Plan.Services), f.current.Config.Global.CheckInterval
	starts := f.machine == nil
	f.machine = machine
	if !f.d.Table.Machine { // a table in memory forwards nothing
		return
	}
	go func() {
		for {
			found, pause := machine.Look(time.Now()), max(interval.Duration(), pollInterval)
			if starts = starts && doctor.IsBroken(found); starts {
				pause = pollInterval
			}
			if f.d.director.Looked(ctx, found) != nil || !runfile.Pause(ctx, pause) {
				return
			}
		}
	}()
}
