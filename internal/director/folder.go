package director

import (
	"context"
	"fmt"
	"slices"
	"time"

	"ldirectord/internal/maintenance"
	"ldirectord/internal/plan"
)

// folderWait is the longest time for which the caller of Run or Reload waits for the first reading of maintenancedir.
// The loop never waits for one. Until the first reading, servers in maintenance stay in maintenance. At a start, no
// server is known to be in maintenance, so only the checks decide until the folder can be read.
const folderWait = 3 * time.Second

// folder is the maintenancedir of one plan.
type folder struct {
	readings <-chan maintenance.Reading // nil without a maintenancedir
	first    maintenance.Reading
	end      context.CancelFunc
}

// openFolder starts to watch a plan's maintenancedir, and waits for the first reading. The watch ends when folder.end
// is called or Run ends.
func (d *Director) openFolder(ctx context.Context, p *plan.Plan) folder {
	f, dir := folder{end: func() {}}, p.Config.Global.MaintenanceDir
	if dir == "" {
		return f
	}
	var servers []maintenance.Server
	for _, s := range p.Services {
		for _, e := range slices.Concat(s.Reals(), s.Earlier) {
			servers = append(servers, maintenance.Server{Addr: e.Real.Addr, Host: e.Host()})
		}
	}
	watch, end := context.WithCancel(d.life)
	f.end, f.readings = end, d.deps.Maintenance(watch, dir, servers)
	ctx, cancel := context.WithTimeout(ctx, folderWait)
	defer cancel()
	select {
	case f.first = <-f.readings:
	case <-ctx.Done():
		f.first.Err = fmt.Errorf("no answer in %v", folderWait)
	}
	return f
}
