package core

import (
	"maps"
	"net/netip"
	"path/filepath"

	"ldirectord/internal/health"
	"ldirectord/internal/judge"
	"ldirectord/internal/maintenance"
	"ldirectord/internal/notify"
)

// maintainer puts servers into maintenance according to the files in maintenancedir.
type maintainer struct {
	*services
	out     map[netip.AddrPort]string // the file that puts each server into maintenance; nil: not read yet
	trouble string                    // why the folder or a file can't be read
}

// enter switches to the folder of a new plan, with its first reading.
func (m *maintainer) enter(first maintenance.Reading) {
	if m.global.MaintenanceDir == "" {
		m.trouble = "" // the folder is not read any more
	}
	m.obey(first)
}

// obey puts the servers that the folder names into maintenance. While the folder can't be read, no server leaves
// maintenance. Each reason why it or a file can't be read is reported once.
func (m *maintainer) obey(r maintenance.Reading) {
	what := m.instead(r)
	if r.Err == nil || r.Out != nil {
		m.out = m.after(r)
	}
	m.tell.trouble(&m.trouble, r.Err, notify.FolderError, what+": "+m.global.MaintenanceDir,
		notify.FolderReadable, "Maintenance folder can be read again: "+m.global.MaintenanceDir)
	for _, v := range m.virtuals {
		m.maintain(v)
	}
}

// instead describes what happens while the folder or a file can't be read.
func (m *maintainer) instead(r maintenance.Reading) string {
	files, first := len(r.Unread) > 0, m.out == nil
	switch {
	case files && first:
		return "Maintenance files can't be read; their servers are in maintenance"
	case files:
		return "Maintenance files can't be read; their servers stay as they were"
	case first:
		return "Maintenance folder can't be read; no server is in maintenance until it can"
	}
	return "Maintenance folder can't be read; servers in maintenance stay there"
}

// after returns the servers in maintenance after a reading. A server whose file can't be read stays as it was, because
// a maintenance that has ended must not begin again. Before the first reading nothing is known, so the file counts.
func (m *maintainer) after(r maintenance.Reading) map[netip.AddrPort]string {
	if m.out == nil {
		return r.Out
	}
	out := maps.Clone(r.Out)
	for s := range r.Unread {
		out[s] = m.out[s]
	}
	return out
}

// maintain begins and ends maintenance for the servers of a virtual service.
func (m *maintainer) maintain(v *virtual) {
	var taken *server // one that could serve
	for _, s := range v.servers {
		file, where := m.out[s.entry.Real.Addr], ""
		if file != "" {
			where = "file " + filepath.Join(filepath.Base(m.global.MaintenanceDir), file)
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
		begins: func(a *subject) notice {
			by := filepath.Base(a.s.maintenance)
			return notice{notify.MaintenanceOn, "Maintenance begins", " by file " + by, by,
				"maintenance begins by file " + by}
		},
		ends: func(*subject) notice {
			return notice{event: notify.MaintenanceOff, what: "Maintenance ends", past: "maintenance ends"}
		},
	},
}
