package runfile

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// lockWait is how long to wait for the lock on the run folder. Other processes hold the lock only for milliseconds.
const lockWait = 5 * time.Second

// OpenLock opens a lock file, and creates it if it is missing. Only its owner may open it, because a user who can open
// it could hold the lock forever.
func OpenLock(path string) (*os.File, error) {
	f, err := OpenFile(path, os.O_RDWR|os.O_CREATE|syscall.O_NOFOLLOW, 0o600)
	if err == nil {
		err = trusted(f, errors.New("remove it"))
	}
	if err == nil && isFresh(f) {
		err = giveToFolder(f)
	}
	if err != nil {
		f.Close() // f is nil if it was not opened
		return nil, fmt.Errorf("opening the lock: %w; name another folder with --rundir", err)
	}
	return f, nil
}

// isFresh reports whether a lock file is empty and has no other name. Only then may it be given to the owner of the
// folder, who could have put a hard link to another file of root there.
func isFresh(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && info.Size() == 0 && info.Sys().(*syscall.Stat_t).Nlink == 1
}

// TryLock takes the lock on an open file. It returns an error if the file is locked through another open file, of this
// process or another. Closing the file releases the lock.
func TryLock(f *os.File) error {
	return unix.FcntlFlock(f.Fd(), unix.F_OFD_SETLK, &unix.Flock_t{Type: unix.F_WRLCK})
}

// IsLocked reports whether a process has the lock on a file. It fails if the file is missing, or if we may not open it.
func IsLocked(path string) (bool, error) {
	f, err := OpenFile(path, os.O_RDONLY|syscall.O_NOFOLLOW, 0)
	if err != nil {
		return false, err
	}
	defer f.Close()
	l := unix.Flock_t{Type: unix.F_WRLCK}
	if err := unix.FcntlFlock(f.Fd(), unix.F_OFD_GETLK, &l); err != nil {
		return false, err
	}
	return l.Type != unix.F_UNLCK, nil
}

// LockFolder takes the lock of a run folder. Closing the returned file releases the lock. The lock excludes only
// processes that take it, too. Hold it only for milliseconds, to read files and write them again.
func LockFolder(ctx context.Context, dir string) (*os.File, error) {
	if err := CheckFolder(dir); err != nil {
		return nil, err
	}
	f, err := OpenLock(filepath.Join(dir, "ldirectord.lock"))
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, lockWait)
	defer cancel()
	for {
		err := TryLock(f)
		if err == nil {
			return f, nil
		}
		if !Pause(ctx, 5*time.Millisecond) {
			f.Close()
			return nil, fmt.Errorf("locking %s: %w", f.Name(), err)
		}
	}
}
