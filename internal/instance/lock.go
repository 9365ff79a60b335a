package instance

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strconv"
	"sync"
	"unicode/utf8"

	"ldirectord/internal/runfile"
)

// ErrRunning means that the daemon is already running.
var ErrRunning = errors.New("a daemon for this configuration is running")

// errEnding means that the previous daemon has not exited yet.
var errEnding = errors.New("the previous daemon does not end")

// Lock is the exclusive right to be the daemon of a configuration, held until the process exits.
type Lock struct {
	Files
	// Before is the record of the previous daemon. It has no Virtuals if that daemon stopped normally. The times in
	// Departing and Moving are by the wall clock.
	Before State

	lock *os.File

	mu        sync.Mutex // guards what follows
	now       State      // the state to record
	unwritten bool       // the field now could not be written, as on a full disk; Restore tries again
	pidless   bool       // the same for the pid file
	replaced  bool       // another daemon has the files
}

// Acquire makes this process the daemon, and records its supervisor. It waits for a daemon that is stopping. If another
// process is already the daemon, it returns ErrRunning.
func (i Instance) Acquire(ctx context.Context, by Supervisor) (*Lock, error) {
	for {
		l, err := i.tryAcquire(ctx, by)
		if !errors.Is(err, errEnding) || !runfile.Pause(ctx, pollInterval) {
			return l, err
		}
	}
}

// tryAcquire makes this process the daemon, or returns an error if that is not possible now. Meanwhile it holds the
// folder's lock, so that only one of several starts succeeds, even if they spell the file's name differently.
func (i Instance) tryAcquire(ctx context.Context, by Supervisor) (*Lock, error) {
	folder, err := i.LockFolder(ctx)
	if err != nil {
		return nil, err
	}
	defer folder.Close()
	if err := i.checkOwner(); err != nil {
		return nil, err
	}
	now := i.look()
	before := now.ours // zero if there is no record
	if now.alive && before.Pid != os.Getpid() {
		if before.Phase == Running && !isKilled(before.Pid) {
			return nil, ErrRunning
		}
		return nil, errEnding
	}
	name, err := now.name()
	if err != nil {
		return nil, err
	}
	self, err := processOf(os.Getpid())
	if err != nil {
		return nil, fmt.Errorf("looking at this process: %w", err)
	}
	l := &Lock{Files: now.current()}
	l.Pid = i.files(name).Pid
	if l.lock, err = takeLock(l.Lock); err != nil {
		return nil, err
	}
	l.Before = i.inherited(before.State)
	l.now = State{
		Format: format, Daemon: i.Daemon, Name: name, Process: self, Phase: Running, Supervisor: by,
		Virtuals:  l.Before.Virtuals,
		Departing: before.Departing, Moving: before.Moving, Boot: before.Boot, Announced: before.Announced,
		Private: before.Private,
	}
	_ = l.write() // the next Update returns the error; the lock alone keeps others out
	return l, nil
}

// inherited returns the previous daemon's record without the parts that are no longer valid, and with its times by the
// wall clock.
func (i Instance) inherited(before State) State {
	if before.Phase == Ending {
		before.Virtuals = nil // Departing is kept: cleanstop may have left these servers in the table
	}
	if before.Boot != runfile.BootID() {
		before.Moving = nil
	}
	before.Virtuals = i.NotOthers(before.Virtuals)
	before.Departing, before.Moving = timed(before.Departing, fromBoot), timed(before.Moving, fromBoot)
	return before
}

// taken returns the error for a name that the daemon of another file already has.
func taken(name, path string, pid int) error {
	return fmt.Errorf(
		"the daemon of %s already has the name %s (pid %d): rename one of the files, or give one of them "+
			"another --rundir", path, name, pid)
}

// MayStart returns an error if no daemon may start for this file, because of the run folder's owner, because the folder
// can't be locked, or because the daemon's name is taken.
func (i Instance) MayStart(ctx context.Context) error {
	if err := i.checkOwner(); err != nil {
		return err
	}
	folder, err := i.LockFolder(ctx)
	if err != nil {
		return err
	}
	defer folder.Close()
	return i.NameTaken()
}

// NameTaken returns an error if the daemon of another file runs under this name, with the same table.
func (i Instance) NameTaken() error {
	_, err := i.look().name()
	return err
}

// name returns the name of the pid file. If the name that follows from this command line belongs to a daemon with
// another table or in another network namespace, that daemon keeps it, and name returns another.
func (l look) name() (string, error) {
	name := l.names[0]
	r, held := l.userOf(name)
	switch {
	case held && r.Table == l.Table && r.NetNS == l.NetNS:
		return "", taken(name, r.Path, r.Pid)
	case held:
		return name + l.suffix(), nil
	}
	if pid, _ := readPid(l.PidFile()); pid != 0 && l.Table == Kernel && l.sharesNetNS(pid) {
		if config, is := isPerl(argv(pid)); is && !l.perlMeans(config) {
			return "", taken(name, config, pid)
		}
	}
	return name, nil
}

func takeLock(path string) (*os.File, error) {
	f, err := runfile.OpenLock(path)
	if err != nil {
		return nil, err
	}
	if err := runfile.TryLock(f); err != nil {
		f.Close()
		return nil, fmt.Errorf("%w: %s is locked", errEnding, path)
	}
	return f, nil
}

// Update calls change with the recorded state of the daemon, and then writes the state file.
func (l *Lock) Update(change func(*State)) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	change(&l.now)
	return l.write()
}

// write writes the state file, and notes whether that failed.
func (l *Lock) write() error {
	if l.replaced {
		return nil
	}
	if !utf8.ValidString(l.now.Path + l.now.Name) {
		l.now.Raw = [][]byte{[]byte(l.now.Path), []byte(l.now.Name)}
	}
	text, err := json.Marshal(l.now)
	if err == nil {
		err = runfile.Replace(l.State, append(text, '\n'), 0o644)
	}
	l.unwritten = err != nil
	return runfile.While("recording the state", err)
}

// Restore restores the state file and the lock file if they were removed. Without them no command finds the daemon, and
// a second daemon may start. If one has started, Restore returns ErrRunning, and nothing is written from then on.
// Restore also writes what could not be written before, and leaves files of other users alone.
func (l *Lock) Restore() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	unlocked := l.relock()
	if errors.Is(unlocked, errEnding) {
		other := Kept(nil).read(l.State) // missing for a moment when that daemon starts
		if l.replaced = other.Process != l.now.Process && other.Process.Lives(); l.replaced {
			return ErrRunning
		}
		return unlocked
	}
	if l.unwritten || !runfile.Exists(l.State) {
		if err := l.write(); err != nil {
			return err
		}
	}
	if l.pidless {
		if err := l.WritePid(); err != nil {
			return err
		}
	}
	return unlocked
}

// relock takes the lock again if its file was removed.
func (l *Lock) relock() error {
	held, err := l.lock.Stat()
	if there, lost := os.Stat(l.Lock); err != nil || lost == nil && os.SameFile(held, there) {
		return err
	}
	lock, err := takeLock(l.Lock)
	if err != nil {
		return err
	}
	l.lock.Close()
	l.lock = lock
	return nil
}

// WritePid writes the pid file. If that fails, Restore tries again.
func (l *Lock) WritePid() error {
	err := runfile.Write(l.Pid, []byte(strconv.Itoa(os.Getpid())+"\n"), 0o644)
	l.pidless = err != nil
	return runfile.While("the pid file", err)
}

// RemovePid removes the pid file, if it names this process.
func (l *Lock) RemovePid() {
	if pid, _ := readPid(l.Pid); pid == os.Getpid() {
		os.Remove(l.Pid)
	}
}
