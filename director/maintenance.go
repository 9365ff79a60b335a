package director

import (
	"context"
	"fmt"
	"slices"
	"time"

	"ldirectord/checker/health"
	"ldirectord/maintenance"
	"ldirectord/notify"
)

// folderWait is how long the caller of Run or Reload waits for the first reading of maintenancedir: the director's own
// goroutine never does. Without one, servers that are known to be in maintenance stay so. At a start none is known, and
// the checks alone decide until the folder answers.
const folderWait = 3 * time.Second

// folder is the maintenancedir of one plan.
type folder struct {
	dir      string
	readings <-chan maintenance.Reading // nil where there is none
	first    maintenance.Reading
	end      context.CancelFunc
}

// openFolder begins to watch the maintenancedir of a plan and waits for the first reading.
func (d *Director) openFolder(ctx context.Context, p *Plan) folder {
	f := folder{dir: p.Config.Global.MaintenanceDir, end: func() {}}
	if f.dir == "" {
		return f
	}
	var servers []maintenance.Server
	for _, v := range p.virtuals {
		for _, s := range slices.Concat(v.servers, v.earlier) {
			servers = append(servers, maintenance.Server{Addr: s.real.Addr, Host: s.host()})
		}
	}
	watch, end := context.WithCancel(d.life)
	f.end, f.readings = end, d.deps.Maintenance(watch, f.dir, servers)
	ctx, cancel := context.WithTimeout(ctx, folderWait)
	defer cancel()
	select {
	case f.first = <-f.readings:
	case <-ctx.Done():
		f.first.Err = fmt.Errorf("no answer in %v", folderWait)
	}
	return f
}

// enter makes the folder of another plan the current one.
func (d *Director) enter(f folder) {
	d.folder.end()
	d.folder = f
	if f.dir == "" {
		d.folderTrouble = "" // it is not asked for any more
	}
	d.obey(f.first)
}

// obey takes out the servers that the folder names. While it can't be read, nobody comes back. That is reported once
// for each reason.
func (d *Director) obey(r maintenance.Reading) {
	if r.Err == nil {
		d.out = r.Out
	}
	d.teller.trouble(&d.folderTrouble, r.Err, notify.FolderError,
		"Maintenance folder can't be read, servers in maintenance stay so: "+d.folder.dir,
		notify.FolderReadable, "Maintenance folder can be read again: "+d.folder.dir)
	d.maintain()
}

// maintain takes servers out for maintenance, and returns others to what their checks say.
func (d *Director) maintain() {
	for _, v := range d.virtuals {
		var taken *server // that could serve
		for _, s := range v.servers {
			file := d.out[s.real.Addr]
			if file == s.maintenance {
				continue
			}
			if s.maintenance == "" && v.StateOf(s.i) != health.Down && s.first.task != nil && !s.Drained() {
				taken = s
			}
			switch {
			case s.maintenance == "":
				d.teller.note("maintenance begins by file "+file, s)
				text := "Maintenance begins: " + v.labelOf(s) + " by file " + file
				d.teller.say(v, s, notify.MaintenanceOn, text, file)
			case file == "":
				d.teller.note("maintenance ends", s)
				d.teller.say(v, s, notify.MaintenanceOff, "Maintenance ends: "+v.labelOf(s), "")
			}
			s.maintenance, v.dirty = file, true
			v.Maintained(s.i, file != "")
		}
		if up, known := v.Available(); taken != nil && !up && known {
			text := "Maintenance takes the last server: " + v.labelOf(taken)
			d.teller.say(v, taken, notify.LastServer, text, taken.maintenance)
		}
	}
}
