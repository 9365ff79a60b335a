package instance

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"time"

	"ldirectord/ipvsctl"
	"ldirectord/lvs"
	"ldirectord/run"
)

// format is the format of the state files that are written. Those without a number name no file, and are not read.
const format = 2

// Phase is what the daemon of a state file does.
type Phase string

const (
	Running    Phase = "running"
	Ending     Phase = "ending"
	HandedOver Phase = "handed over" // it ended and left its table to the next one
)

// Supervisor is the program that has a daemon in the foreground, and so must start the next one: a unit of systemd by
// its name, or somebody. A daemon in the background has none.
type Supervisor string

// State is what a state file says. Every user may read it.
type State struct {
	Format int
	Daemon
	Name string // of its pid file
	Process
	Phase      Phase
	Supervisor Supervisor    `json:",omitempty"`
	Execute    []string      `json:",omitempty"` // the configurations of its siblings
	Virtuals   []lvs.Key     `json:",omitempty"` // what it may have in the table, unless it is ending
	Waits      []lvs.Key     `json:",omitempty"` // what it takes over from another daemon, as soon as it may
	Yields     bool          `json:",omitempty"` // others may take over what it has in the table: it stands by
	Kept       time.Duration `json:",omitempty"` // by SinceBoot: so long Virtuals are for its next daemon
	// of those virtual services; Until is by SinceBoot, which can't be set
	Leavers []ipvsctl.Leaver `json:",omitempty"`

	Private   []ipvsctl.PrivateService `json:",omitempty"` // for checks, that it may have in the table
	Announced map[netip.Addr][]string  `json:",omitempty"` // the devices on which it may have an address
}

// SetLeavers sets the servers that leave the configuration. Their Until is by the clock as it is now.
func (s *State) SetLeavers(all []ipvsctl.Leaver) {
	s.Leavers = slices.Clone(all)
	for i := range s.Leavers {
		s.Leavers[i].Until = time.Unix(0, int64(run.SinceBoot()+time.Until(s.Leavers[i].Until)))
	}
}

// leavers are those of a record, by the clock as it is now.
func (s *State) leavers() []ipvsctl.Leaver {
	all := slices.Clone(s.Leavers)
	for i := range all {
		all[i].Until = time.Now().Add(time.Duration(all[i].Until.UnixNano()) - run.SinceBoot())
	}
	return all
}

func readState(path string) (State, error) {
	var s State
	text, err := run.Read(path)
	if err != nil {
		return s, err
	}
	if err := json.Unmarshal(text, &s); err != nil {
		return s, fmt.Errorf("reading %s: %w", path, err)
	}
	return s, nil
}

// record is a state file that was found.
type record struct {
	State
	base string // the name of its files
}

// Kept are records that were read, by their paths. One is read again when its file is another one.
type Kept map[string]keptState

type keptState struct {
	file os.FileInfo
	State
}

// read reads a record. From nil it is read each time.
func (all Kept) read(path string) (State, error) {
	file, err := os.Lstat(path)
	if err != nil {
		return State{}, err
	}
	if k, is := all[path]; is && os.SameFile(file, k.file) && file.ModTime().Equal(k.file.ModTime()) {
		return k.State, nil
	}
	s, err := readState(path)
	if all != nil && err == nil && time.Since(file.ModTime()) > time.Second { // else the next one may look the same
		all[path] = keptState{file, s}
	}
	return s, err
}

// hasServices reports whether only this record names services that may be in the kernel's table, for a file that is
// still there.
func (r record) hasServices() bool {
	return r.Table == Kernel && r.Phase != Ending && len(r.Virtuals) > 0 && run.Exists(r.Path)
}
