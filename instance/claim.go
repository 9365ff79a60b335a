package instance

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"ldirectord/printable"
)

// ErrClaimed: another process has it.
var ErrClaimed = errors.New("belongs to another daemon")

// maxClaim is how much is read of who claims something, in bytes.
const maxClaim = 8 << 10

// Claim takes what a file represents for this process, until the file is closed or the process ends. Its folder is made. by
// says who has it, for the error of those who come later: ErrClaimed, wrapped.
func Claim(path, by string) (*os.File, error) {
	dir := filepath.Dir(path)
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("making the folder of locks: %w", err)
	}
	if err := CheckFolder(dir); err != nil {
		return nil, err
	}
	f, err := openLock(path)
	if err != nil {
		return nil, err
	}
	if tryLock(f) != nil {
		defer f.Close()
		text, _ := readAll(f, maxClaim)
		return nil, fmt.Errorf("%w: %s", ErrClaimed, printable.Line(string(text)))
	}
	_ = f.Truncate(0) // it is locked, whatever it says
	_, _ = f.WriteAt([]byte(by), 0)
	return f, nil
}

// IsClaimed reports whether a process has what a file represents.
func IsClaimed(path string) bool {
	locked, err := isLocked(path)
	return locked && err == nil
}
