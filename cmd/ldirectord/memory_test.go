package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"syscall"
	"testing"

	"ldirectord/internal/testkit"
)

// After a large file was refused, or only looked at for autoreload, the daemon's memory is as before.
func TestARefusedFileGivesItsMemoryBack(t *testing.T) {
	if underRace {
		t.Skip("the race detector has memory of its own: without it")
	}
	d := launched(t, "start", "virtual = 10.1.0.1:80\n\treal = 10.2.0.1:80 gate\n\tchecktype = on\n")
	pid := d.report().Pid
	path := filepath.Join(d.dir, "ld.cf")
	good := testkit.Must(os.ReadFile(path))(t)
	before := resident(t, pid)
	testkit.Write(t, path, string(make([]byte, 40<<20)))
	testkit.OK(t, syscall.Kill(pid, syscall.SIGHUP))
	within(t, "refusal", func() bool { return d.report().Reloads.Refused > 0 })
	within(t, "memory given back", func() bool { return resident(t, pid) < before+16<<20 })
	testkit.OK(t, os.WriteFile(path, bytes.Repeat([]byte("#"), 40<<20), 0o600)) // read without a reload
	within(t, "file seen", func() bool { return d.holds("log", "ignore new configuration") })
	within(t, "memory given back, file ignored", func() bool { return resident(t, pid) < before+16<<20 })
	testkit.Write(t, path, string(good))
}

// resident is the memory of a process in bytes.
func resident(t *testing.T, pid int) int {
	t.Helper()
	text := testkit.Must(os.ReadFile(fmt.Sprintf("/proc/%d/status", pid)))(t)
	m := regexp.MustCompile(`VmRSS:\s+(\d+) kB`).FindSubmatch(text)
	if m == nil {
		t.Skip("the kernel does not tell the memory of a process")
	}
	kB, _ := strconv.Atoi(string(m[1]))
	return kB << 10
}
