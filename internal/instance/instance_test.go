package instance

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"ldirectord/internal/runfile"
	"ldirectord/internal/testkit"
)

func TestMain(m *testing.M) {
	syscall.Umask(0o022) // a run folder that a group can write is refused
	os.Exit(m.Run())
}

// daemonOf is the daemon of a file in a folder, on a table in memory.
func daemonOf(dir, file string, names ...string) Instance {
	if names == nil {
		names = []string{filepath.Base(file)}
	}
	return New(dir, Daemon{Path: file, Table: "memory", NetNS: NetNS()}, names...)
}

// aDaemon is that of a file, in a folder of its own.
func aDaemon(t *testing.T) Instance { return daemonOf(t.TempDir(), "/x.cf") }

// soon ends before the test would time out.
func soon(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	t.Cleanup(cancel)
	return ctx
}

// acquire makes this process the daemon.
func acquire(t *testing.T, i Instance) *Lock {
	t.Helper()
	h := testkit.Must(i.Acquire(soon(t), ""))(t)
	t.Cleanup(func() { giveBack(h) })
	return h
}

// giveBack releases the lock, as the end of the process does.
func giveBack(h *Lock) { h.lock.Close() }

// Files in the run folder with our names may be of any kind and size. Only a limited part of them is read, and
// reading never blocks.
func TestFilesOfTheRunFolderAreBounded(t *testing.T) {
	for name, put := range map[string]func(path string, limit int64) error{
		"too large": func(path string, limit int64) error {
			if err := os.WriteFile(path, nil, 0o600); err != nil {
				return err
			}
			return os.Truncate(path, limit+1)
		},
		"a pipe":   func(path string, _ int64) error { return syscall.Mkfifo(path, 0o600) },
		"a folder": func(path string, _ int64) error { return os.Mkdir(path, 0o700) },
		"a link":   func(path string, _ int64) error { return os.Symlink("/dev/zero", path) },
	} {
		t.Run(name, func(t *testing.T) {
			i := daemonOf(t.TempDir(), "/ld.cf")
			f := i.Files()
			for path, limit := range map[string]int64{f.Pid: runfile.MaxFile, f.State: runfile.MaxFile,
				f.Drain: runfile.MaxFile} {
				testkit.OK(t, put(path, limit))
			}
			start := time.Now()
			testkit.Equal(t, i.Find().Pid, 0, "the pid")
			testkit.Same(t, i.State(), State{}, "the state")
			if _, err := runfile.Read(f.Drain); err == nil {
				t.Error("the orders to drain were read")
			}
			if took := time.Since(start); took > 5*time.Second {
				t.Errorf("took %v", took)
			}
		})
	}
}

func TestTheRunFolderMustBeSafe(t *testing.T) {
	for mode, want := range map[os.FileMode]bool{
		0o755: true, 0o700: true, 0o777 | os.ModeSticky: true, 0o775 | os.ModeSticky: true,
		0o777: false, 0o775: false, 0o757: false,
	} {
		dir := t.TempDir()
		testkit.OK(t, os.Chmod(dir, mode))
		i := daemonOf(dir, "/ld.cf")
		h, err := i.Acquire(soon(t), "")
		testkit.Equal(t, err == nil, want, mode, err)
		if err != nil && !strings.Contains(err.Error(),
			"users other than its owner can write to the run folder") {
			t.Errorf("%v: %v", mode, err)
		}
		if err == nil {
			giveBack(h)
		}
		left, _ := os.ReadDir(dir)
		if !want && len(left) > 0 {
			t.Errorf("%v: %v was written there", mode, left)
		}
	}
}
