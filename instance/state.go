package instance

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"syscall"

	"ldirectord/ipvsctl"
)

// format is that of the state files that are written; the version before numbered none, and told no path.
const format = 2

// Phase is where in its life the daemon is that holds the state file.
type Phase string

const (
	Running    Phase = "running"
	Ending     Phase = "ending"
	HandedOver Phase = "handed over" // it ended and left its table to the next one
)

// Supervisor is who has a daemon in the foreground, and so must start the next one: a unit of systemd, by its
// name, or somebody. A daemon in the background has none.
type Supervisor string

// State is what a state file says. Every user may read it.
type State struct {
	Format int `json:",omitempty"`
	Daemon
	Name string `json:",omitempty"` // of its pid file
	Process
	Phase      Phase
	Supervisor Supervisor    `json:"Keeper,omitempty"` // the name that the previous version reads
	Execute    []string      `json:",omitempty"`       // the configurations of its siblings
	Virtuals   []ipvsctl.Key `json:",omitempty"`       // what it may have in the table; says nothing once it is ending
}

func readState(path string) (State, error) {
	var s State
	text, err := Read(path)
	if err != nil {
		return s, err
	}
	err = json.NewDecoder(bytes.NewReader(text)).Decode(&s) // what stands after it is older, in one of the version before
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
	home string // the name that the files have
}

// records are all that are there.
func (i Instance) records() (found []record) {
	paths, _ := filepath.Glob(filepath.Join(escapeGlob(i.dir), prefix+"*.state"))
	for _, path := range paths {
		if s, err := readState(path); err == nil {
			home := strings.TrimSuffix(strings.TrimPrefix(filepath.Base(path), prefix), ".state")
			s.Name = cmp.Or(s.Name, home) // the version before had one name for all
			found = append(found, record{State: s, home: home})
		}
	}
	return found
}

func escapeGlob(dir string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(dir)
}

// isOld reports whether the version before wrote it.
func (r record) isOld() bool { return r.Format == 0 }

// isMissed reports whether services may be in the kernel's table that only this record tells of, for a file that
// is still there.
func (r record) isMissed() bool {
	return !r.isOld() && r.Table == Kernel && r.Phase != Ending && len(r.Virtuals) > 0 && Exists(r.Path)
}

// lives reports whether the daemon that wrote it has not ended.
func (i Instance) lives(r record) bool {
	if !i.mayName(r.Pid) {
		return false
	}
	if r.isOld() {
		_, err := processOf(r.Pid)
		return err == nil && isHeldByOld(i.files(r.home).State)
	}
	if !r.Process.Lives() {
		return false
	}
	locked, err := isLocked(i.files(r.home).Lock)
	return locked || err != nil // who can't look at the lock has the time of start
}

// isHeldByOld reports whether a daemon of the version before has its state file, which it locks itself.
func isHeldByOld(path string) bool {
	f, err := openOurs(path)
	if err != nil {
		return false
	}
	defer f.Close()
	return errors.Is(syscall.Flock(int(f.Fd()), syscall.LOCK_SH|syscall.LOCK_NB), syscall.EWOULDBLOCK)
}
