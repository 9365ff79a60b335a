package runfile

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// Format begins the line that identifies the format of a file with orders or with the role.
const Format = "# ldirectord 2"

// Write replaces a file of the run folder atomically. A reader sees the old file or the new one, and on a full disk the
// old one stays. Write does not follow a link.
func Write(path string, text []byte, mode os.FileMode) error {
	if err := CheckFolder(filepath.Dir(path)); err != nil {
		return err
	}
	return Replace(path, text, mode)
}

// Replace does what Write does, for a file in any folder.
func Replace(path string, text []byte, mode os.FileMode) error {
	fresh := fmt.Sprintf("%s.%d.new", path, os.Getpid())
	// a killed process with our pid may have left it; if it is still there, the next line fails
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

// Save does what Replace does, for a file that an operator names. It refuses to replace a device such as /dev/null, a
// pipe or a folder.
func Save(path string, text []byte, mode os.FileMode) error {
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		return fmt.Errorf("writing %s: it is not a regular file", path)
	}
	return Replace(path, text, mode)
}

// Sync waits until a file is on the disk, so that it survives a loss of power.
func Sync(path string) error {
	err := Try(path, func() error {
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		defer f.Close()
		return f.Sync()
	})
	if errors.Is(err, ErrLate) {
		return fmt.Errorf("%s is not on the disk after %v", path, ReadTimeout)
	}
	return While("writing "+path, err)
}

// Remove removes a file, if it is there.
func Remove(path string) error {
	err := os.Remove(path)
	if errors.Is(err, os.ErrNotExist) || errors.Is(err, syscall.EROFS) && !Exists(path) {
		return nil
	}
	return err
}

// CheckFolder refuses a run folder to which users other than its owner can write, unless it is sticky and belongs to
// root or to this process's user.
func CheckFolder(dir string) error {
	info, err := os.Stat(dir)
	if err != nil {
		return fmt.Errorf("the run folder: %w; name another with --rundir", err)
	}
	const groupAndOthers = 0o022
	owner := ownerOf(info)
	ours := owner == 0 || int(owner) == os.Geteuid()
	if info.Mode()&groupAndOthers == 0 || info.Mode()&os.ModeSticky != 0 && ours {
		return nil
	}
	return fmt.Errorf(
		"users other than its owner can write to the run folder %s (%v): chmod go-w it, or name another "+
			"with --rundir", dir, info.Mode())
}

// Owner returns the owner of a file or a folder.
func Owner(path string) (uint32, error) {
	info, err := os.Stat(path)
	if err != nil {
		return 0, err
	}
	return ownerOf(info), nil
}

func ownerOf(info os.FileInfo) uint32 { return info.Sys().(*syscall.Stat_t).Uid }

// trusted refuses a file of another user in the run folder. The error ends with foreign, which says what becomes of
// such a file, or what to do with it.
func trusted(f *os.File, foreign error) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	folders, err := Owner(filepath.Dir(f.Name()))
	if err != nil {
		return err
	}
	switch owner := ownerOf(info); {
	case owner == 0, int(owner) == os.Geteuid(), owner == folders:
		return nil
	default:
		return fmt.Errorf("%s belongs to the user %d: %w", f.Name(), owner, foreign)
	}
}

// giveToFolder gives a file of root to the owner of its folder. Otherwise a daemon that runs as that user could not
// open it.
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

// While adds to an error the action during which it occurred. If err is nil, it returns nil.
func While(doing string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", doing, err)
}
