package instance

import (
	"encoding/json"
	"net/netip"
	"os"
	"slices"
	"time"

	"ldirectord/internal/judge"
	"ldirectord/internal/lvs"
	"ldirectord/internal/runfile"
	"ldirectord/ipvsctl"
)

// format is the format of state files. Files without a format number don't contain the configuration's path, and are
// ignored.
const format = 2

// Phase is the phase of the daemon that a state file describes.
type Phase string

const (
	Running    Phase = "running"
	Ending     Phase = "ending"
	HandedOver Phase = "handed over" // it stops, and leaves its virtual services in the table for the next daemon
)

// Supervisor says who runs a daemon in the foreground and must start the next one: it is the name of a systemd unit, or
// another word. It is "" for a daemon in the background.
type Supervisor string

// State is the content of a state file. Every user may read it.
type State struct {
	Format int
	Daemon
	Name string // the name of its pid file
	// Path and Name, if they are not UTF-8, which JSON can't express
	Raw [][]byte `json:",omitempty"`
	Process
	Phase      Phase
	Supervisor Supervisor `json:",omitempty"`
	Execute    []string   `json:",omitempty"` // the configurations of its siblings
	// the virtual services that it may have in the table; the next daemon does not inherit them from one that was
	// Ending
	Virtuals []lvs.Key `json:",omitempty"`
	Waits    []lvs.Key `json:",omitempty"` // the virtual services that it waits for
	Yields   bool      `json:",omitempty"` // it is on standby, so other daemons may take over its virtual services
	// the time since boot until which Virtuals are reserved for its successor
	Kept time.Duration `json:",omitempty"`
	// the departing servers of Virtuals; their times count from boot, because nobody can set that clock
	Departing []judge.Record `json:"Leavers,omitempty"`
	// the records of servers whose weight or return to service depends on more than their checks; the times in them
	// also count from boot, and Boot identifies that boot
	Moving []judge.Record `json:",omitempty"`
	Boot   string         `json:",omitempty"`

	Private   []ipvsctl.PrivateService `json:",omitempty"` // the private services that it may have in the table
	Announced map[netip.Addr][]string  `json:",omitempty"` // the devices on which it may have an address
}

// SetDeparting sets the departing servers. Their times must be those of the wall clock.
func (s *State) SetDeparting(all []judge.Record) { s.Departing = timed(all, toBoot) }

// SetMoving sets the records of what changes weights. Their times must be those of the wall clock, too.
func (s *State) SetMoving(all []judge.Record) {
	s.Moving, s.Boot = timed(all, toBoot), runfile.BootID()
}

// timed returns copies of records with their times converted to another clock.
func timed(all []judge.Record, byOther func(time.Time) time.Time) []judge.Record {
	all = slices.Clone(all)
	for i := range all {
		for _, t := range all[i].Times() {
			if !t.IsZero() {
				*t = byOther(*t)
			}
		}
	}
	return all
}

// toBoot converts a time of the wall clock, as it is set now, into one that counts from boot.
func toBoot(t time.Time) time.Time { return time.Unix(0, int64(runfile.SinceBoot()+time.Until(t))) }

// fromBoot converts a time that counts from boot into one of the wall clock, as it is set now.
func fromBoot(t time.Time) time.Time {
	return time.Now().Add(time.Duration(t.UnixNano()) - runfile.SinceBoot())
}

// record is the content of a state file that was found.
type record struct {
	State
	base string // the name of its files
}

// Kept caches records by path. A record is read again when its file changes. If the file is lost, or can't be read, the
// record stays, because that does not mean that the daemon has ended.
type Kept map[string]keptState

type keptState struct {
	file os.FileInfo // nil if the file must be read again
	State
}

// read returns the record in a file, and keeps it in the cache. If the cache is nil, it reads the file each time. A
// record that can't be read is empty, unless it is in the cache.
func (all Kept) read(path string) (s State) {
	k := all[path]
	file, err := os.Lstat(path)
	if err != nil || os.SameFile(file, k.file) && file.ModTime().Equal(k.file.ModTime()) {
		return k.State
	}
	text, err := runfile.Read(path)
	if err != nil || json.Unmarshal(text, &s) != nil {
		return k.State
	}
	if len(s.Raw) == 2 {
		s.Path, s.Name = string(s.Raw[0]), string(s.Raw[1])
	}
	if time.Since(file.ModTime()) <= time.Second {
		file = nil // a version written within the same second may look the same
	}
	if all != nil {
		all[path] = keptState{file, s}
	}
	return s
}

// hasServices reports whether a record names virtual services that may be in the kernel's table. It returns false if
// the configuration of the record no longer exists.
func (r record) hasServices() bool {
	return r.Table == Kernel && r.Phase != Ending && len(r.Virtuals) > 0 && runfile.Exists(r.Path)
}
