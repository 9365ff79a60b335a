package instance

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

// lockWait is how long another process may hold the lock on the run folder. It takes milliseconds.
const lockWait = 5 * time.Second

// Write replaces a file of the run folder atomically: a reader sees the old one or the new one, and on a full disk the
// old one stays. It follows no link.
func Write(path string, text []byte, mode os.FileMode) error {
	if err := CheckFolder(filepath.Dir(path)); err != nil {
		return err
	}
	return Replace(path, text, mode)
}

// Replace is Write for a file in any folder.
func Replace(path string, text []byte, mode os.FileMode) error {
	fresh := fmt.Sprintf("%s.%d.new", path, os.Getpid())
	// of a process that was killed and had our pid; if it can't be removed, the next line fails
	_ = os.Remove(fresh)
	f, err := os.OpenFile(fresh, os.O_RDWR|os.O_CREATE|os.O_EXCL|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	_, err = f.Write(text)
	err = errors.Join(err, f.Chmod(mode), giveToFolder(f), f.Close())
	if err == nil {
		err = os.Rename(fresh, path)
	}
	if err != nil {
		return fmt.Errorf("writing %s: %w", path, errors.Join(err, os.Remove(fresh)))
	}
	return nil
}

// Remove removes a file, if it is there.
func Remove(path string) error {
	if err := os.Remove(path); !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

// CheckFolder refuses a run folder in which other users could replace our files.
func CheckFolder(dir string) error {
	info, err := os.Stat(dir)
	if err != nil {
		return fmt.Errorf("the run folder: %w; --rundir names another", err)
	}
	const groupAndOthers = 0o022
	owner := ownerOf(info)
	ours := owner == 0 || int(owner) == os.Geteuid()
	if info.Mode()&groupAndOthers == 0 || info.Mode()&os.ModeSticky != 0 && ours {
		return nil
	}
	return fmt.Errorf(
		"the run folder %s (%v) can be written by others than its owner: chmod go-w it, or --rundir names "+
			"another", dir, info.Mode())
}

// ownerOf is the owner of a file or a folder.
func ownerOf(info os.FileInfo) uint32 { return info.Sys().(*syscall.Stat_t).Uid }

// trusted refuses a file of the run folder that is another user's.
func trusted(f *os.File) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	folder, err := os.Stat(filepath.Dir(f.Name()))
	if err != nil {
		return err
	}
	switch owner := ownerOf(info); {
	case owner == 0, int(owner) == os.Geteuid(), owner == ownerOf(folder):
		return nil
	default:
		return fmt.Errorf("%s belongs to the user %d: %w", f.Name(), owner, ErrForeign)
	}
}

// openLock opens a lock file. Only its owner can: who can open it can hold the lock forever.
func openLock(path string) (*os.File, error) {
	f, err := OpenFile(path, os.O_RDWR|os.O_CREATE|syscall.O_NOFOLLOW, 0o600)
	if err == nil {
		err = trusted(f)
	}
	if err == nil {
		err = giveToFolder(f)
	}
	if err != nil {
		f.Close() // nil where it was not opened
		return nil, fmt.Errorf("opening the lock: %w; --rundir names another folder", err)
	}
	return f, nil
}

// giveToFolder gives a file of root to the owner of its folder: a daemon with a user of its own could not open it
// otherwise.
func giveToFolder(f *os.File) error {
	if os.Geteuid() != 0 {
		return nil
	}
	info, err := os.Stat(filepath.Dir(f.Name()))
	if err != nil {
		return err
	}
	owner := info.Sys().(*syscall.Stat_t)
	if owner.Uid == 0 {
		return nil
	}
	return f.Chown(int(owner.Uid), int(owner.Gid))
}

// tryLock takes the lock on an open file, unless another one has it; closing the file gives it back.
func tryLock(f *os.File) error {
	return unix.FcntlFlock(f.Fd(), unix.F_OFD_SETLK, &unix.Flock_t{Type: unix.F_WRLCK})
}

// IsLocked reports whether somebody has the lock on a file. It fails when the file is not there, or we may not open it.
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

// LockFolder keeps others from changing the run folder until the returned file is closed. It is for milliseconds, to
// read what is there and write it again.
func (i Instance) LockFolder(ctx context.Context) (*os.File, error) {
	if err := CheckFolder(i.dir); err != nil {
		return nil, err
	}
	f, err := openLock(filepath.Join(i.dir, "ldirectord.lock"))
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, lockWait)
	defer cancel()
	for {
		err := tryLock(f)
		if err == nil {
			return f, nil
		}
		if !Pause(ctx, 5*time.Millisecond) {
			f.Close()
			return nil, fmt.Errorf("locking %s: %w", f.Name(), err)
		}
	}
}

// While is an error with what was being done, nil for none.
func While(doing string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", doing, err)
}
