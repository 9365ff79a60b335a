// Package runfile reads, writes and locks the files of the run folder, which daemons and commands share. It also reads
// other files with a time limit, replaces them atomically, and reads the time since boot.
package runfile

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"sync"
	"syscall"
	"time"
)

// MaxFile is the maximum size of a file in the run folder, in bytes.
const MaxFile = 64 << 20

// ReadFile reads a whole regular file of at most limit bytes, within ReadTimeout.
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

// ErrLate is the error for a look that takes longer than ReadTimeout, for example because a file server does not
// answer. It matches os.ErrDeadlineExceeded.
var ErrLate error = late{}

type late struct{}

func (late) Error() string {
	return fmt.Sprintf("its file system did not answer within %v", ReadTimeout)
}

func (late) Is(err error) bool { return err == os.ErrDeadlineExceeded }

// hanging counts the late looks at each path that have not ended, because each of them blocks a thread. It is a global
// variable because readers of files have no common owner.
var hanging = struct {
	sync.Mutex
	looks map[string]int
}{looks: map[string]int{}}

// hangs adds the argument more to the number of looks that hang at a path. It reports whether any look hangs there now.
func hangs(path string, more int) bool {
	hanging.Lock()
	defer hanging.Unlock()
	now := hanging.looks[path] + more
	if hanging.looks[path] = now; now == 0 {
		delete(hanging.looks, path)
	}
	return now > 0
}

// MayPass reports whether a failed look at a file may succeed later although nobody changes the file, because this
// machine is short of something, or a file server or a disk has trouble.
func MayPass(err error) bool {
	return IsShort(err) || errors.Is(err, ErrLate) || isOneOf(err, syscall.EIO, syscall.ESTALE, syscall.ETIMEDOUT)
}

// IsShort reports whether a file could not be opened because the system is short of a resource. ENOSPC occurs only if
// the file is created.
func IsShort(err error) bool {
	return isOneOf(err, syscall.EMFILE, syscall.ENFILE, syscall.ENOMEM, syscall.ENOSPC)
}

func isOneOf(err error, errnos ...syscall.Errno) bool {
	errno, is := errors.AsType[syscall.Errno](err)
	return is && slices.Contains(errnos, errno)
}

// InTime looks at the file at path by calling look. It abandons a look that takes too long. Until that look ends,
// further looks at the same path fail at once with ErrLate.
func InTime[T any](path string, look func() (T, error)) (seen T, err error) {
	if hangs(path, 0) {
		return seen, fmt.Errorf("%s: %w", path, ErrLate)
	}
	done := make(chan func() (T, error), 1)
	go func() {
		seen, err := look()
		done <- func() (T, error) { return seen, err }
	}()
	select {
	case result := <-done:
		return result()
	case <-time.After(ReadTimeout):
		hangs(path, 1)
		go func() {
			<-done
			hangs(path, -1)
		}()
		return seen, fmt.Errorf("%s: %w", path, ErrLate)
	}
}

// Try does what InTime does, for a function that returns only an error.
func Try(path string, do func() error) error {
	_, err := InTime(path, func() (struct{}, error) { return struct{}{}, do() })
	return err
}

// Stat does what os.Stat does, with the time limit of InTime.
func Stat(path string) (os.FileInfo, error) {
	return InTime(path, func() (os.FileInfo, error) { return os.Stat(path) })
}

// SameFile reports whether two paths lead to the same file or folder now. It returns false if a file is missing, or
// can't be looked at in time.
func SameFile(path, other string) bool {
	a, _ := Stat(path)
	b, _ := Stat(other)
	return os.SameFile(a, b)
}

// readAll reads a file, which may grow while it is read. It refuses a file that is too large.
func readAll(f *os.File, limit int64) ([]byte, error) {
	if info, err := f.Stat(); err == nil && info.Size() > limit {
		return nil, tooLarge(f.Name(), limit)
	}
	return ReadUpTo(f, f.Name(), limit)
}

// ReadUpTo reads at most limit bytes. If there are more, it returns an error.
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

// OpenFile opens a regular file, as os.OpenFile does. It refuses a pipe without waiting for its writer.
func OpenFile(path string, flag int, perm os.FileMode) (*os.File, error) {
	f, err := os.OpenFile(path, flag|syscall.O_NONBLOCK, perm)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s is not a regular file", path)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	_ = f.SetReadDeadline(time.Now().Add(ReadTimeout)) // a file such as /proc/kmsg never ends
	return f, nil
}

// TryRead returns an error if a regular file can't be opened for reading within ReadTimeout.
func TryRead(path string) error {
	return Try(path, func() error {
		f, err := OpenFile(path, os.O_RDONLY, 0)
		if err != nil {
			return err
		}
		return f.Close()
	})
}

// ErrForeign is the error for a file in the run folder that belongs to another user or is not a regular file. Readers
// ignore such a file, and Write replaces it unless it is a folder.
var ErrForeign = errors.New("the file is ignored: it belongs to another user, or is not a regular file")

// Read reads a file of the run folder. For a missing file it returns nil. It does not follow a link. The file must
// belong to root, this process's user or the folder's owner. Otherwise the error is ErrForeign.
func Read(path string) ([]byte, error) {
	f, err := OpenFile(path, os.O_RDONLY|syscall.O_NOFOLLOW, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		if info, gone := os.Lstat(path); gone == nil && !info.Mode().IsRegular() {
			err = fmt.Errorf("%w: %w", ErrForeign, err)
		}
		return nil, err
	}
	defer f.Close()
	if err := trusted(f, ErrForeign); err != nil {
		return nil, err
	}
	return readAll(f, MaxFile)
}

// Exists reports whether there is a file of this name. A dangling link counts, too.
func Exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}
