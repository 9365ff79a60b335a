package lab

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"ldirectord/internal/testkit"
)

// clockJumps sets the clock an hour forward and back. No check under way may fail because of that, and none may be
// late. It is played only on the lab's own kernel, where nothing else uses the clock.
func (f *failures) clockJumps(number string) {
	if !ownKernel() {
		f.t.Log("skipped: the clock is not set on a machine's own kernel")
		return
	}
	for _, jump := range []struct {
		by   time.Duration
		name string
	}{{time.Hour, "ahead"}, {-time.Hour, "back"}} {
		r := f.begin(number, "the clock is set an hour "+jump.name+", a server hangs")
		was, before := f.table(), len(f.logText())
		f.setClock(jump.by)
		time.Sleep(2500 * time.Millisecond)
		r.unchanged(f, was, before, false)
		r.out = f.seen(f.fails("rs1", string(silent)))
		f.heals("rs1", string(well))
		f.until(bound, entry("rs1")+" ")
	}
}

// ownKernel reports whether this is the lab's own kernel, where nothing else uses the clock.
func ownKernel() bool {
	text, _ := os.ReadFile("/proc/cpuinfo")
	return strings.Contains(string(text), "User Mode Linux")
}

func (l *lab) setClock(by time.Duration) {
	l.t.Helper()
	now := syscall.NsecToTimeval(time.Now().Add(by).UnixNano())
	testkit.OK(l.t, syscall.Settimeofday(&now))
}

// upgrade replaces the file of the program, as a package manager does, and restarts the daemon.
func (f *failures) upgrade(r *row) {
	f.replaceProgram()
	f.restartCommand(r)
	if runs, err := os.Readlink("/proc/" + strconv.Itoa(f.pid()) + "/exe"); err != nil || runs != f.exe {
		r.broken = fmt.Sprintf("the daemon runs %s (%v), not %s", runs, err, f.exe)
	}
}

// replaceProgram replaces the lab's program by a new copy.
func (l *lab) replaceProgram() {
	l.t.Helper()
	text := testkit.Must(os.ReadFile(program(l.t)))(l.t)
	l.exe = filepath.Join(l.dir, "ldirectord")
	testkit.OK(l.t, os.WriteFile(l.exe+".new", text, 0o700))
	testkit.OK(l.t, os.Rename(l.exe+".new", l.exe))
}
