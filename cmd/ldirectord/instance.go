package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"ldirectord/ipvsctl"
)

// instance is the daemon of one configuration, as the machine sees it: a pid file for everybody, a
// locked state file for ourselves, and a socket for our commands.
type instance struct{ pidFile, stateFile, socket string }

func (o *options) instance() instance {
	base := filepath.Join(o.runDir, "ldirectord."+o.instanceName())
	return instance{pidFile: base + ".pid", stateFile: base + ".state", socket: base + ".sock"}
}

// phase is where in its life the daemon is that holds the state file.
type phase string

const (
	running    phase = "running"
	ending     phase = "ending"
	handedOver phase = "handed over" // it ended and left its table to the next one
)

// state is what the state file says.
type state struct {
	Pid      int
	Phase    phase
	Role     order         `json:",omitempty"` // the order that it follows
	Keeper   keeper        `json:",omitempty"` // who has it in the foreground
	Rereads  int           `json:",omitempty"` // how often the file was read again
	Refused  bool          `json:",omitempty"` // the last time, it was not taken over
	Virtuals []ipvsctl.Key `json:",omitempty"` // what it may have in the table; says nothing once it is ending
}

// find returns the pid of the running daemon, 0 when none runs; stale tells that a pid file is there
// all the same. A process counts when it is a director.
func (i instance) find() (pid int, stale bool) {
	text, err := readPid(i.pidFile)
	if err != nil || len(text) == 0 { // an empty file counts as none there
		return 0, false
	}
	line, _, _ := strings.Cut(text, "\n")
	pid, err = strconv.Atoi(strings.TrimSpace(line))
	if err != nil || pid == os.Getpid() || !isDirector(pid) || i.isOthers(pid) {
		return 0, true
	}
	return pid, false
}

// readPid is the beginning of a pid file.
func readPid(path string) (string, error) {
	f, err := openFile(path, os.O_RDONLY, 0)
	if err != nil {
		return "", err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, longestPid))
	return string(text), err
}

// isDirector tells whether a process is a daemon of ours, or the Perl one; ours may have another name.
func isDirector(pid int) bool {
	line, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	program, _, _ := bytes.Cut(line, []byte{0})
	return err == nil && (bytes.Contains(line, []byte("ldirectord")) || filepath.Base(string(program)) == filepath.Base(os.Args[0]))
}

// forked lists the processes that the Perl daemon made with fork=yes, one for each virtual service. They
// would go on changing the table after it has ended.
func forked(pid int) (children []int) {
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, path := range stats {
		stat, err := os.ReadFile(path)
		if err != nil {
			continue
		}
		var state string
		var parent int
		_, rest, _ := bytes.Cut(stat, []byte(") "))
		if n, _ := fmt.Sscan(string(rest), &state, &parent); n != 2 || parent != pid {
			continue
		}
		dir := filepath.Dir(path)
		child, _ := strconv.Atoi(filepath.Base(dir))
		if line, err := os.ReadFile(dir + "/cmdline"); err == nil && bytes.HasPrefix(line, []byte("ldirectord ")) {
			children = append(children, child)
		}
	}
	return children
}

// stays tells whether a daemon goes on. One that was just told to end takes a moment to say so.
func (i instance) stays(pid int) bool {
	for range 5 {
		if s, err := i.read(); !isDirector(pid) || err == nil && s.Pid == pid && s.Phase != running {
			return false
		}
		time.Sleep(20 * time.Millisecond)
	}
	return true
}

func (i instance) read() (state, error) {
	var s state
	text, err := readFile(i.stateFile, largestState)
	if err != nil {
		return s, err
	}
	err = json.NewDecoder(bytes.NewReader(text)).Decode(&s) // what stands behind it is older
	return s, err
}

// waitFor waits until a process is gone.
func waitFor(ctx context.Context, pid int) error {
	for isDirector(pid) {
		select {
		case <-ctx.Done():
			return fmt.Errorf("the daemon with pid %d does not end", pid)
		case <-time.After(20 * time.Millisecond):
		}
	}
	return nil
}

// errRunning says that another daemon of the same configuration lives.
var errRunning = errors.New("a daemon for this configuration is running")

// hold is the right to be the daemon of a configuration; it ends with the process.
type hold struct {
	instance
	file   *os.File
	former []ipvsctl.Key // what the daemon before left in the table: it handed over, or crashed

	mu  sync.Mutex // guards what follows
	now state      // as recorded
}

// acquire makes this process the daemon of the configuration. It waits for one that is ending; one
// that runs is errRunning. Whoever keeps it in the foreground is recorded.
func (i instance) acquire(ctx context.Context, by keeper) (*hold, error) {
	f, err := openFile(i.stateFile, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("opening the state file: %w; --rundir names another folder", err)
	}
	for {
		err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			break
		}
		if s, e := i.read(); e == nil && s.Phase == running && isDirector(s.Pid) && s.Pid != os.Getpid() {
			f.Close()
			return nil, errRunning
		}
		select {
		case <-ctx.Done():
			f.Close()
			return nil, fmt.Errorf("locking %s: %w", i.stateFile, err)
		case <-time.After(20 * time.Millisecond):
		}
	}
	h := &hold{instance: i, file: f}
	if s, err := i.read(); err == nil && s.Phase != ending {
		h.former = s.Virtuals
	}
	h.now = state{Pid: os.Getpid(), Phase: running, Keeper: by, Virtuals: h.former}
	return h, h.write()
}

// awaitReread waits until the daemon that was in the state before has read the file once more. An error
// tells that it did not take the file over.
func (i instance) awaitReread(ctx context.Context, before state) error {
	for {
		now, err := i.read()
		switch {
		case err == nil && (now.Pid != before.Pid || now.Phase != running) || !isDirector(before.Pid):
			return errors.New("the daemon ended before it had read the file")
		case err == nil && now.Rereads != before.Rereads && now.Refused:
			return errors.New("the daemon refused the file, its log says why")
		case err == nil && now.Rereads != before.Rereads:
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the daemon with pid %d has not taken the file over yet", before.Pid)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// others are the states of the other configurations' daemons that run.
func (i instance) others() (states []state) {
	files, _ := filepath.Glob(filepath.Join(filepath.Dir(i.stateFile), "ldirectord.*.state"))
	for _, f := range files {
		s, err := instance{stateFile: f}.read()
		if f != i.stateFile && err == nil && s.Phase == running && isDirector(s.Pid) {
			states = append(states, s)
		}
	}
	return states
}

// isOthers tells whether a process is another configuration's daemon; a pid is used again after a boot.
func (i instance) isOthers(pid int) bool {
	return slices.ContainsFunc(i.others(), func(s state) bool { return s.Pid == pid })
}

// notOthers leaves out the virtual services that other daemons which run have in the table: one may
// have moved to another configuration.
func (i instance) notOthers(keys []ipvsctl.Key) (own []ipvsctl.Key) {
	others := map[ipvsctl.Key]bool{}
	for _, s := range i.others() {
		for _, k := range s.Virtuals {
			others[k] = true
		}
	}
	for _, k := range keys {
		if !others[k] {
			own = append(own, k)
		}
	}
	return own
}

// enter records the phase of this daemon's life.
func (h *hold) enter(p phase) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.now.Phase = p
	return h.write()
}

// follow records the order that this daemon has carried out.
func (h *hold) follow(o order) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.now.Role = o
	return h.write()
}

// reread records that the file was read again, and whether it was taken over.
func (h *hold) reread(taken bool) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.now.Rereads++
	h.now.Refused = !taken
	return h.write()
}

// own records what this daemon may have in the table.
func (h *hold) own(virtuals []ipvsctl.Key) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.now.Virtuals = virtuals
	return h.write()
}

func (h *hold) write() error {
	text, err := json.Marshal(h.now)
	if err != nil {
		return fmt.Errorf("recording the state: %w", err)
	}
	// Never empty, whenever the process is killed: what is longer of the old text stands behind the new.
	if _, err := h.file.WriteAt(append(text, '\n'), 0); err != nil {
		return fmt.Errorf("recording the state: %w", err)
	}
	if err := h.file.Truncate(int64(len(text)) + 1); err != nil {
		return fmt.Errorf("recording the state: %w", err)
	}
	return nil
}

// writePid makes the pid file, whole at once.
func (h *hold) writePid() error {
	tmp := h.pidFile + ".new"
	if err := os.WriteFile(tmp, []byte(strconv.Itoa(os.Getpid())+"\n"), 0o644); err != nil {
		return fmt.Errorf("writing the pid file: %w", err)
	}
	if err := os.Rename(tmp, h.pidFile); err != nil {
		return fmt.Errorf("writing the pid file: %w", err)
	}
	return nil
}

// removePid removes the pid file, if it is ours.
func (h *hold) removePid() {
	text, err := readPid(h.pidFile)
	if err == nil && strings.TrimSpace(text) == strconv.Itoa(os.Getpid()) {
		os.Remove(h.pidFile)
	}
}
