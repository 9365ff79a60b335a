package instance

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"ldirectord/ipvsctl"
)

// format is the format of the state files that are written. The previous version wrote neither a number nor a path.
const format = 2

// Phase is what the daemon of a state file does.
type Phase string

const (
	Running    Phase = "running"
	Ending     Phase = "ending"
	HandedOver Phase = "handed over" // it ended and left its table to the next one
)

// Supervisor is who has a daemon in the foreground, and so must start the next one: a unit of systemd by its name, or
// somebody. A daemon in the background has none.
type Supervisor string

// State is what a state file says. Every user may read it.
type State struct {
	Format int `json:",omitempty"`
	Daemon
	Name string `json:",omitempty"` // of its pid file
	Process
	Phase      Phase
	Supervisor Supervisor    `json:"Keeper,omitempty"` // as the previous version calls it
	Execute    []string      `json:",omitempty"`       // the configurations of its siblings
	Virtuals   []ipvsctl.Key `json:",omitempty"`       // what it may have in the table, unless it is ending
}

func readState(path string) (State, error) {
	var s State
	text, err := Read(path)
	if err != nil {
		return s, err
	}
	err = json.NewDecoder(bytes.NewReader(text)).Decode(&s) // the previous version may leave older text after it
	if err != nil {
		return s, fmt.Errorf("reading %s: %w", path, err)
	}
	return s, nil
}

func (s State) text() ([]byte, error) {
	text, err := json.Marshal(s)
	if err != nil {
		return nil, fmt.Errorf("recording the state: %w", err)
	}
	return append(text, '\n'), nil
}

// record is a state file that was found.
type record struct {
	State
	base string // the name of its files
}

// records are all that are there.
func (i Instance) records() (found []record) {
	entries, _ := os.ReadDir(i.dir)
	for _, e := range entries {
		name, isOurs := strings.CutPrefix(e.Name(), prefix)
		base, isState := strings.CutSuffix(name, ".state")
		if !isOurs || !isState {
			continue
		}
		if s, err := readState(filepath.Join(i.dir, e.Name())); err == nil {
			s.Name = cmp.Or(s.Name, base) // the previous version had one name for all
			found = append(found, record{State: s, base: base})
		}
	}
	return found
}

// isOld reports whether the previous version wrote it.
func (r record) isOld() bool { return r.Format == 0 }

// hasServices reports whether only this record names services that may be in the kernel's table, for a file that is still
// there.
func (r record) hasServices() bool {
	return !r.isOld() && r.Table == Kernel && r.Phase != Ending && len(r.Virtuals) > 0 && Exists(r.Path)
}

// lives reports whether the daemon that wrote a record is running.
func (i Instance) lives(r record) bool {
	if !i.mayName(r.Pid) {
		return false
	}
	if r.isOld() {
		_, err := processOf(r.Pid)
		return err == nil && isLockedByOld(i.files(r.base).State)
	}
	if !r.Process.Lives() {
		return false
	}
	locked, err := isLocked(i.files(r.base).Lock)
	return locked || err != nil // without access to the lock the time of start decides
}

// isLockedByOld reports whether a daemon of the previous version runs: it locks the state file itself.
func isLockedByOld(path string) bool {
	f, err := openOurs(path)
	if err != nil {
		return false
	}
	defer f.Close()
	return errors.Is(syscall.Flock(int(f.Fd()), syscall.LOCK_SH|syscall.LOCK_NB), syscall.EWOULDBLOCK)
}
