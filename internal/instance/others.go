package instance

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"ldirectord/internal/lvs"
	"ldirectord/internal/runfile"
)

// This file finds the other daemons of this program that have the same table and a record in a run folder. Directors
// without a record are found in strangers.go.

// Handover is how long virtual services stay reserved for the next daemon after a handover.
const Handover = 30 * time.Second

// private is the name of a table in memory that no other process shares.
const private = "memory"

// Other is the record of another daemon with the same table.
type Other struct {
	State
	Lives bool // it is certainly running, see isProved
}

// Has returns the virtual services that the daemon owns while it runs: those in its record, unless it yields them.
func (o *Other) Has() []lvs.Key {
	if o.Yields {
		return nil
	}
	return o.Virtuals
}

// IsHandedOver reports whether the daemon has handed its virtual services over, and they are still reserved for its
// successor.
func (s *State) IsHandedOver() bool {
	left := s.Kept - runfile.SinceBoot()
	return s.Phase == HandedOver && left > 0 && left <= Handover
}

// Others returns the records of the other daemons with this table, running or not. The result known contains the
// processes that don't count as strangers: this process, its parent, and running daemons with a record.
func (i Instance) Others(kept Kept) (all []Other, known map[int]bool) {
	known = map[int]bool{os.Getpid(): true, os.Getppid(): true}
	for _, there := range i.folders() {
		for _, r := range there.records(kept) {
			o := Other{r.State, there.isProved(r)}
			known[r.Pid] = known[r.Pid] || o.Lives
			same := o.Table == i.Table && o.NetNS == i.NetNS && i.Table != private
			// a daemon of the same file in another run folder counts while it runs
			if same && (!i.isSame(o.Daemon) || there != i.folder && o.Lives) {
				all = append(all, o)
			}
		}
	}
	return all, known
}

// PrivateMarks returns the marks of the private services in all records of the run folders. The value of a mark is
// true if a daemon that recorded it is running.
func (i Instance) PrivateMarks() map[uint32]bool {
	marks := map[uint32]bool{}
	for _, there := range i.folders() {
		for _, r := range there.records(nil) {
			lives := there.isProved(r)
			for _, p := range r.Private {
				marks[p.Key.Mark] = marks[p.Key.Mark] || lives
			}
		}
	}
	return marks
}

// isProved reports whether the daemon of a record is certainly running. The daemon's lock proves that, even if this
// process can't see other processes. If the lock can't be accessed, a process with the recorded number and start time
// proves it.
func (f folder) isProved(r record) bool {
	locked, err := runfile.IsLocked(f.files(r.base).Lock)
	return locked || err != nil && r.Process.Lives()
}

// folders returns the run folders in which daemons with the same table may have records, sorted and without duplicates.
func (i Instance) folders() []folder {
	list := []folder{i.folder}
	if i.Table != Kernel {
		return list
	}
	own, err := filepath.EvalSymlinks(string(i.folder))
	if err != nil {
		own = string(i.folder)
	}
	for _, dir := range []string{Folder, UnitFolder} {
		err := runfile.CheckFolder(dir)
		// cached records count even if their folder is missing
		if dir != own && (err == nil || errors.Is(err, fs.ErrNotExist)) {
			list = append(list, folder(dir))
		}
	}
	slices.Sort(list)
	return list
}

// LockFolders takes the locks of the run folders until unlock is called (see runfile.LockFolder). It skips folders that
// can't be locked in time.
func (i Instance) LockFolders(ctx context.Context) (unlock func()) {
	var locks []*os.File
	for _, there := range i.folders() {
		if f, err := there.LockFolder(ctx); err == nil {
			locks = append(locks, f)
		}
	}
	return func() {
		for _, f := range locks {
			f.Close()
		}
	}
}

// NotOthers returns those of the virtual services that no other running daemon owns. The rest may have moved to another
// configuration.
func (i Instance) NotOthers(keys []lvs.Key) []lvs.Key {
	taken := map[lvs.Key]bool{}
	others, _ := i.Others(nil)
	for _, o := range others {
		if o.Lives && o.Phase == Running {
			for _, k := range o.Has() {
				taken[k] = true
			}
		}
	}
	return slices.DeleteFunc(slices.Clone(keys), func(k lvs.Key) bool { return taken[k] })
}
