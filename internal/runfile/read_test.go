package runfile

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"ldirectord/internal/testkit"
)

// A file that is too large is refused before it is read.
func TestATooLargeFileTakesNoMemory(t *testing.T) {
	path := filepath.Join(t.TempDir(), "large")
	testkit.Write(t, path, "")
	if err := os.Truncate(path, 10<<30); err != nil {
		t.Skip(err)
	}
	var err error
	took := testkit.Taken(func() { _, err = ReadFile(path, MaxFile) })
	testkit.Fails(t, err, path+" is larger than 67108864 bytes")
	if took > 1<<20 {
		t.Errorf("it took %d bytes", took)
	}
}

// A look that does not end blocks nobody, and the next one at its path waits for its end. Others are not affected.
func TestALookInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hangs := make(chan struct{})
		var looks atomic.Int32
		for i, row := range []struct {
			path, seen string
			took       time.Duration
			looks      int32
		}{
			{"/mnt/gone", "", ReadTimeout, 1},
			{"/mnt/gone", "", 0, 1},
			{"", "late", 0, 2},
			{"/mnt/gone", "late", 0, 3},
		} {
			begun := time.Now()
			seen, err := InTime(row.path, func() (string, error) {
				if looks.Add(1) == 1 {
					<-hangs
				}
				return "late", io.EOF
			})
			want := io.EOF.Error()
			if row.seen == "" {
				want = row.path + ": its file system did not answer within 5s"
			}
			testkit.Fails(t, err, want, i)
			testkit.Equal(t, errors.Is(err, ErrLate), row.seen == "", i)
			testkit.Equal(t, errors.Is(err, os.ErrDeadlineExceeded), row.seen == "", i)
			testkit.Equal(t, looks.Load(), row.looks, i, "looks")
			if took := time.Since(begun); seen != row.seen || took != row.took {
				t.Errorf("%d: %q after %v", i, seen, took)
			}
			if i == 2 {
				close(hangs)
				synctest.Wait()
			}
		}
	})
}

// A file that is regular by its mode may have no end, as /proc/kmsg has none.
func TestAFileWithoutAnEnd(t *testing.T) {
	const path = "/sys/kernel/tracing/instances/ldirectord-test"
	if os.Geteuid() != 0 || os.Mkdir(path, 0o700) != nil {
		t.Skip("tracefs is not here")
	}
	defer os.Remove(path)
	begun := time.Now()
	if text, err := ReadFile(path+"/trace_pipe", 1000); err == nil || time.Since(begun) > 2*ReadTimeout {
		t.Errorf("%q, %v after %v", text, err, time.Since(begun))
	}
}
