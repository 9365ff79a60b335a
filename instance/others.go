package instance

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"ldirectord/ipvsctl"
)

// This file finds the other daemons of this program on the same table: those of other files, in every run folder.

// Handover is how long a daemon that handed over keeps its virtual services for the next one.
const Handover = 30 * time.Second

// private is the table of one process alone.
const private = "memory"

// Other is what another daemon on the same table recorded.
type Other struct {
	State
	Lives bool // it has the lock on its file
	info  os.FileInfo
	found time.Time // when it was as info says first …
	read  time.Time // … and when it was read
}

// Has are the virtual services that are its own while it is there.
func (o *Other) Has() []ipvsctl.Key {
	if o.Yields {
		return nil
	}
	return o.Virtuals
}

// IsHandedOver reports whether it left its virtual services to its next daemon a moment ago.
func (s *State) IsHandedOver() bool {
	left := s.Kept - SinceBoot()
	return s.Phase == HandedOver && left > 0 && left <= Handover
}

// Others are the records of the other daemons on the table, by their paths. Before is what the last call returned: a
// record that has not changed since is not read again. Entries without a Path are of no other daemon.
func (i Instance) Others(before map[string]Other) map[string]Other {
	all := map[string]Other{}
	for _, dir := range i.folders() {
		paths, _ := os.ReadDir(dir)
		for _, entry := range paths {
			path := filepath.Join(dir, entry.Name())
			base, isState := strings.CutSuffix(path, ".state")
			info, err := os.Lstat(path)
			if !isState || !strings.HasPrefix(entry.Name(), prefix) || err != nil {
				continue
			}
			o, known := before[path]
			if !known || !o.isOf(info) {
				o = Other{info: info, found: time.Now()}
			}
			if o.isYoung() {
				o.State, o.read = State{}, time.Now()
				if s, err := readState(path); err == nil && i.shares(s.Daemon, dir) {
					o.State = s
				}
			}
			o.Lives = o.Path != "" && o.isProved(base+".lock")
			if !o.Lives && i.compare(o.Daemon) != another { // the same daemon, which had another run folder
				o.State = State{}
			}
			all[path] = o
		}
	}
	return all
}

// isOf reports whether a record is that of a file as it is now.
func (o *Other) isOf(now os.FileInfo) bool {
	return os.SameFile(now, o.info) && now.ModTime().Equal(o.info.ModTime())
}

// isYoung reports whether another record may have been written since it was read, with the same inode and time.
func (o *Other) isYoung() bool { return o.read.Sub(o.found) < time.Second }

// shares reports whether a daemon of a folder is another one on the same table.
func (i Instance) shares(d Daemon, dir string) bool {
	same := d.Table == i.Table && d.NetNS == i.NetNS && i.Table != private
	return same && (dir != i.dir || i.compare(d) == another)
}

// isProved reports whether the daemon is proved to run: by its lock, whatever this process sees of others. Where that
// is not to be looked at, the process with its number and its time of start proves it.
func (o *Other) isProved(lock string) bool {
	locked, err := IsLocked(lock)
	if err != nil {
		return o.Process.Lives()
	}
	return locked
}

// folders are the run folders of daemons on the same table, each once, in one order.
func (i Instance) folders() (list []string) {
	own, err := filepath.EvalSymlinks(i.dir)
	if i.Table != Kernel || err != nil {
		return []string{i.dir}
	}
	for _, dir := range []string{Folder, UnitFolder} {
		if dir != own && CheckFolder(dir) == nil {
			list = append(list, dir)
		}
	}
	return slices.Sorted(slices.Values(append(list, i.dir)))
}

// LockFolders keeps others from changing the run folders, those that can be locked in time, until unlock is called.
func (i Instance) LockFolders(ctx context.Context) (unlock func()) {
	var locks []*os.File
	for _, i.dir = range i.folders() {
		if f, err := i.LockFolder(ctx); err == nil {
			locks = append(locks, f)
		}
	}
	return func() {
		for _, f := range locks {
			f.Close()
		}
	}
}

// NotOthers returns keys without the virtual services that other running daemons have: a service may have moved to
// another configuration.
func (i Instance) NotOthers(keys []ipvsctl.Key) []ipvsctl.Key {
	taken := map[ipvsctl.Key]bool{}
	for _, o := range i.Others(nil) {
		if o.Lives && o.Phase == Running {
			for _, k := range o.Has() {
				taken[k] = true
			}
		}
	}
	return slices.DeleteFunc(slices.Clone(keys), func(k ipvsctl.Key) bool { return taken[k] })
}
