package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestADaemonOfAnotherNameIsFound(t *testing.T) {
	defer func(name string) { os.Args[0] = name }(os.Args[0])
	os.Args[0] = "/opt/balancer"
	for name, want := range map[string]bool{"/usr/sbin/ldirectord": true, "balancer": true, "/opt/balancer": true, "cat": false} {
		cmd := exec.Command("cat")
		cmd.Args[0] = name
		in, err := cmd.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		awaitExec(t, cmd.Process.Pid)
		if got := isDirector(cmd.Process.Pid); got != want {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
		in.Close()
		if err := cmd.Wait(); err != nil {
			t.Error(err)
		}
	}
}

// awaitExec waits until a process shows its command line: that comes a moment after its start is over.
func awaitExec(t *testing.T, pid int) {
	t.Helper()
	for end := time.Now().Add(awaitLimit); time.Now().Before(end); time.Sleep(time.Millisecond) {
		if line, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid)); err == nil && len(line) > 0 {
			return
		}
	}
	t.Fatalf("process %d has no command line", pid)
}

// Whatever lies in the run folder under our names: it is read to a limit, and nobody waits for it.
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
		"locked": func(path string, _ int64) error {
			f, err := os.Create(path)
			if err != nil {
				return err
			}
			t.Cleanup(func() { f.Close() })
			return syscall.Flock(int(f.Fd()), syscall.LOCK_EX)
		},
	} {
		t.Run(name, func(t *testing.T) {
			o := options{runDir: t.TempDir(), config: "ld.cf"}
			i := o.instance()
			for path, limit := range map[string]int64{i.pidFile: longestPid, i.stateFile: largestState, string(o.drainFile()): largestState} {
				if err := put(path, limit); err != nil {
					t.Fatal(err)
				}
			}
			start := time.Now()
			if pid, _ := i.find(); pid != 0 {
				t.Errorf("the pid is %d", pid)
			}
			if _, err := i.read(); err == nil {
				t.Error("the state file was read")
			}
			if _, err := o.drainFile().read(t.Context()); err == nil {
				t.Error("the orders to drain were read")
			}
			if took := time.Since(start); took > lockWait+5*time.Second {
				t.Errorf("took %v", took)
			}
		})
	}
}

func TestAPidFileCountsByItsFirstLine(t *testing.T) {
	cmd := exec.Command("cat")
	cmd.Args[0] = "ldirectord"
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { in.Close(); cmd.Wait() }()
	awaitExec(t, cmd.Process.Pid)
	i := instance{pidFile: filepath.Join(t.TempDir(), "pid")}
	text := strconv.Itoa(cmd.Process.Pid) + "\n" + strings.Repeat("and more ", 1<<20)
	if err := os.WriteFile(i.pidFile, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if pid, stale := i.find(); pid != cmd.Process.Pid || stale {
		t.Errorf("found %d (stale: %v), want %d", pid, stale, cmd.Process.Pid)
	}
}
