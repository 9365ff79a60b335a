package instance

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"ldirectord/internal/runfile"
)

// folder is a run folder.
type folder string

// Files are the paths of a daemon's files in the run folder. Drain has the orders, Names the addresses of host names.
type Files struct{ Pid, State, Lock, Socket, Role, Drain, Names string }

func (f folder) files(name string) Files {
	base := filepath.Join(string(f), prefix+name)
	return Files{
		Pid: base + ".pid", State: base + ".state", Lock: base + ".lock", Socket: base + ".sock",
		Role: base + ".role", Drain: base + ".drain", Names: base + ".names",
	}
}

// records returns all records of the folder, including cached ones whose files are lost.
func (f folder) records(all Kept) (found []record) {
	paths := slices.Collect(maps.Keys(all))
	entries, _ := os.ReadDir(string(f))
	for _, e := range entries {
		paths = append(paths, filepath.Join(string(f), e.Name()))
	}
	slices.Sort(paths)
	for _, path := range slices.Compact(paths) {
		name, isOurs := strings.CutPrefix(path, filepath.Join(string(f), prefix))
		base, isState := strings.CutSuffix(name, ".state")
		if !isOurs || !isState {
			continue
		}
		if s := all.read(path); s.Format > 0 {
			found = append(found, record{State: s, base: base})
		}
	}
	return found
}

// lives reports whether the daemon that wrote a record is still running.
func (f folder) lives(r record) bool {
	return f.mayName(r.Pid) && r.Process.Lives() && f.isProved(r)
}

// mayName reports whether files in this folder may name this process as the daemon. Files in another user's folder may
// name only processes of that user. Otherwise that user could make root's commands kill any process.
func (f folder) mayName(pid int) bool {
	owner, err := runfile.Owner(string(f))
	if err != nil {
		return false
	}
	if owner == 0 || os.Geteuid() != 0 {
		return true
	}
	ids := statusOf(pid, "Uid")
	return len(ids) > 0 && ids[0] == strconv.FormatUint(uint64(owner), 10)
}

// checkOwner returns an error if root would start a daemon in a folder of another user. Files in such a folder may name
// only processes of that user (see mayName), so no command would find the daemon.
func (f folder) checkOwner() error {
	owner, err := runfile.Owner(string(f)) // Acquire reports the error
	if err == nil && os.Geteuid() == 0 && owner != 0 {
		return fmt.Errorf(
			"the run folder %s belongs to the user %d: start the daemon as that user, or name "+
				"another with --rundir", f, owner)
	}
	return nil
}

// LockFolder takes the lock of the folder (see runfile.LockFolder).
func (f folder) LockFolder(ctx context.Context) (*os.File, error) {
	return runfile.LockFolder(ctx, string(f))
}

// readPid returns the number in a pid file's first line, or 0 if there is none. An empty file counts as missing.
func readPid(path string) (pid int, there bool) {
	text, err := runfile.Read(path)
	if err != nil || len(text) == 0 {
		return 0, false
	}
	line, _, _ := strings.Cut(string(text), "\n")
	pid, err = strconv.Atoi(strings.TrimSpace(line))
	if err != nil || pid < 1 {
		return 0, true
	}
	return pid, true
}
