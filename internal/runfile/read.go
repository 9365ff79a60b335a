// Package runfile reads, writes and locks the files of the run folder, which daemons and commands share.
package runfile

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"
	"time"
)

// MaxFile is the maximum size of a file in the run folder, in bytes.
const MaxFile = 64 << 20

// ReadFile reads a whole regular file of at most limit bytes, in time.
func ReadFile(path string, limit int64) ([]byte, error) {
	return InTime(path, func() ([]byte, error) {
		f, err := OpenFile(path, os.O_RDONLY, 0)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		return readAll(f, limit)
	})
}

// ReadTimeout is how long a look at a file may take.
const ReadTimeout = 5 * time.Second

// ErrLate is the error of a file that takes longer, as on a file server that is gone.
var ErrLate = fmt.Errorf("it could not be read within %v", ReadTimeout)

// InTime looks at a file. A look that does not end is left to itself.
func InTime[T any](path string, look func() (T, error)) (seen T, err error) {
	done := make(chan func() (T, error), 1)
	go func() {
		seen, err := look()
		done <- func() (T, error) { return seen, err }
	}()
	select {
	case result := <-done:
		return result()
	case <-time.After(ReadTimeout):
		return seen, fmt.Errorf("%s: %w", path, ErrLate)
	}
}

// readAll reads a file that may grow meanwhile. One that is too large is not read.
func readAll(f *os.File, limit int64) ([]byte, error) {
	if info, err := f.Stat(); err == nil && info.Size() > limit {
		return nil, tooLarge(f.Name(), limit)
	}
	return ReadUpTo(f, f.Name(), limit)
}

// ReadUpTo reads at most limit bytes; more of them are an error.
func ReadUpTo(r io.Reader, what string, limit int64) ([]byte, error) {
	text, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err == nil && int64(len(text)) > limit {
		return nil, tooLarge(what, limit)
	}
	return text, err
}

func tooLarge(what string, limit int64) error {
	return fmt.Errorf("%s is larger than %d bytes", what, limit)
}

// OpenFile opens a regular file, as os.OpenFile does. It does not wait for the writer of a pipe.
func OpenFile(path string, flag int, perm os.FileMode) (*os.File, error) {
	f, err := os.OpenFile(path, flag|syscall.O_NONBLOCK, perm)
	if err != nil {
		return nil, err
	}
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		f.Close()
		return nil, fmt.Errorf("%s is not a regular file", path)
	}
	_ = f.SetReadDeadline(time.Now().Add(ReadTimeout)) // /proc/kmsg has no end
	return f, nil
}

// TryRead returns why a regular file can't be read.
func TryRead(path string) error {
	f, err := OpenFile(path, os.O_RDONLY, 0)
	if err != nil {
		return err
	}
	return f.Close()
}

// ErrForeign is the error of another user's file in the run folder. Such a file is ignored and replaced.
var ErrForeign = errors.New("the file is ignored: it belongs to another user, or is not a regular file")

// Read reads a file of the run folder; it is empty where there is none. Read follows no link. Of users other than root,
// this process's user and the folder's owner it is ErrForeign.
func Read(path string) ([]byte, error) {
	f, err := OpenFile(path, os.O_RDONLY|syscall.O_NOFOLLOW, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if info, gone := os.Lstat(path); err != nil && gone == nil && !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%w: %w", ErrForeign, err)
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if err := trusted(f, ErrForeign); err != nil {
		return nil, err
	}
	return readAll(f, MaxFile)
}

// Exists reports whether there is a file of this name, a link that leads to nothing included.
func Exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}
