package runfile

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
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
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err := ReadFile(path, MaxFile)
	runtime.ReadMemStats(&after)
	if want := path + " is larger than 67108864 bytes"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	if took := after.TotalAlloc - before.TotalAlloc; took > 1<<20 {
		t.Errorf("it took %d bytes", took)
	}
}

// A look that does not end blocks nobody.
func TestALookInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hangs := make(chan struct{})
		defer close(hangs)
		begun := time.Now()
		seen, err := InTime("/mnt/gone", func() (string, error) { <-hangs; return "late", nil })
		if seen != "" || !errors.Is(err, ErrLate) ||
			err.Error() != "/mnt/gone: it could not be read within 5s" || time.Since(begun) != ReadTimeout {
			t.Errorf("%q, %v after %v", seen, err, time.Since(begun))
		}
		if seen, err := InTime("", func() (string, error) { return "seen", io.EOF }); seen != "seen" ||
			err != io.EOF {
			t.Errorf("%q, %v", seen, err)
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
