package director

import (
	"context"
	"fmt"
	"net/netip"
	"path/filepath"
	"slices"
	"time"

	"ldirectord/checker/health"
	"ldirectord/judge"
	"ldirectord/maintenance"
	"ldirectord/notify"
	"ldirectord/plan"
)

// folderWait is how long the caller of Run or Reload waits for the first reading of maintenancedir; the director's own
// goroutine never waits. Without a reading, servers in maintenance stay there. At a start no server is known to be in
// maintenance, and the checks alone decide until the folder answers.
const folderWait = 3 * time.Second

// folder is the maintenancedir of one plan.
type folder struct {
	dir      string
	readings <-chan maintenance.Reading // nil where there is none
	first    maintenance.Reading
	end      context.CancelFunc
}

// openFolder starts to watch the maintenancedir of a plan, until life ends, and waits for the first reading.
func (d *Deps) openFolder(ctx, life context.Context, p *plan.Plan) folder {
	f := folder{dir: p.Config.Global.MaintenanceDir, end: func() {}}
	if f.dir == "" {
		return f
	}
	var servers []maintenance.Server
	for _, s := range p.Services {
		for _, e := range slices.Concat(s.Reals(), s.Earlier) {
			servers = append(servers, maintenance.Server{Addr: e.Real.Addr, Host: e.Host()})
		}
	}
	watch, end := context.WithCancel(life)
	f.end, f.readings = end, d.Maintenance(watch, f.dir, servers)
	ctx, cancel := context.WithTimeout(ctx, folderWait)
	defer cancel()
	select {
	case f.first = <-f.readings:
	case <-ctx.Done():
		f.first.Err = fmt.Errorf("no answer in %v", folderWait)
	}
	return f
}

// maintainer puts servers into maintenance by the files in maintenancedir.
type maintainer struct {
	*services
	folder
	out     map[netip.AddrPort]string // the servers in maintenance at the last successful reading
	trouble string                    // why the folder can't be read
}

// enter switches to the folder of a new plan.
func (m *maintainer) enter(f folder) {
	m.end()
	m.folder = f
	if f.dir == "" {
		m.trouble = "" // the folder is not read any more
	}
	m.obey(f.first)
}

// obey puts the servers that the folder names into maintenance. While the folder can't be read, no server leaves
// maintenance. Each reason is reported once.
func (m *maintainer) obey(r maintenance.Reading) {
	if r.Err == nil {
		m.out = r.Out
	}
	m.tell.trouble(&m.trouble, r.Err, notify.FolderError,
		"Maintenance folder can't be read; servers in maintenance stay there: "+m.dir,
		notify.FolderReadable, "Maintenance folder can be read again: "+m.dir)
	for _, v := range m.virtuals {
		m.maintain(v)
	}
}

// maintain begins and ends maintenance for the servers of a virtual service.
func (m *maintainer) maintain(v *virtual) {
	var taken *server // that could serve
	for _, s := range v.servers {
		file, where := m.out[s.entry.Real.Addr], ""
		if file != "" {
			where = "file " + filepath.Join(filepath.Base(m.dir), file)
		}
		if where == s.maintenance {
			continue
		}
		if s.maintenance == "" && s.State() != health.Down && !s.Unchecked && !s.Drained() {
			taken = s
		}
		s.maintenance = where
		m.tell.changed(v, s)
		v.touch()
		s.Maintained(file != "")
	}
	if up, known := v.Available(); taken != nil && !up && known {
		m.tell.report(v, taken, notify.LastServer, "Maintenance takes out the last server", "",
			taken.maintenance)
	}
}

var maintenanceKind = kind{name: "maintenance", trouble: judge.Noted,
	says: func(a *subject) string { return a.s.maintenance },
	news: &news{
		count: func(a *subject) int { return once(a.s.maintenance != "") },
		begins: func(a *subject, _ begun) notice {
			by := filepath.Base(a.s.maintenance)
			return notice{notify.MaintenanceOn, "Maintenance begins", " by file " + by, by,
				"maintenance begins by file " + by}
		},
		ends: func(*subject, begun) notice {
			return notice{event: notify.MaintenanceOff, what: "Maintenance ends", past: "maintenance ends"}
		},
	},
}
