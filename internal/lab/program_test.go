package lab

import (
	"bytes"
	"cmp"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"ldirectord/internal/testkit"
)

// exitOK is the exit status of a command that succeeded.
const exitOK = 0

// program is the path of the binary under test.
func program(t *testing.T) string {
	t.Helper()
	path, err := filepath.Abs(cmp.Or(os.Getenv("LDIRECTORD"), "../../ldirectord"))
	if err == nil {
		_, err = os.Stat(path)
	}
	if err != nil {
		t.Fatalf("the program to test: %v: make builds it", err)
	}
	return path
}

// command is a command of the program in the director.
func (l *lab) command(args ...string) *exec.Cmd {
	l.t.Helper()
	return l.inside("dir", append([]string{cmp.Or(l.exe, program(l.t)), "--rundir", l.dir}, args...)...)
}

// inside is any command in a namespace.
func (l *lab) inside(ns string, words ...string) *exec.Cmd {
	return exec.Command("ip", append([]string{"netns", "exec", l.prefix + ns}, words...)...)
}

// runIn runs a command in a namespace, which succeeds. It returns the output.
func (l *lab) runIn(ns string, words ...string) string {
	l.t.Helper()
	return testkit.Run(l.t, l.inside(ns, words...))
}

// run runs the program in the director, and checks its exit status. It returns the output.
func (l *lab) run(want int, args ...string) string {
	l.t.Helper()
	cmd := l.command(args...)
	out, err := cmd.CombinedOutput()
	if got := cmd.ProcessState.ExitCode(); got != want {
		l.t.Fatalf("%v: exit status %d (%v), want %d: %s\n%s", args, got, err, want, out, l.logText())
	}
	return string(out)
}

// does runs the program with the director's configuration, and succeeds.
func (l *lab) does(args ...string) string {
	l.t.Helper()
	return l.run(exitOK, append([]string{l.path()}, args...)...)
}

// starts runs the daemon with a configuration until the end of the test.
func (l *lab) starts(config string) (path string) {
	l.t.Helper()
	path = l.config(config)
	l.does("start")
	l.t.Cleanup(func() { l.does("stop") })
	return path
}

// pid is the process of the daemon; 0 if none is running.
func (l *lab) pid() int { return l.pidOf("ldirectord.cf") }

// pidOf is the process of the daemon of a configuration.
func (l *lab) pidOf(config string) int {
	text, err := os.ReadFile(filepath.Join(l.dir, "ldirectord."+config+".pid"))
	pid, bad := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil || bad != nil {
		return 0
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil || bytes.Contains(stat, []byte(") Z ")) { // a zombie
		return 0
	}
	return pid
}

// signal sends a signal to the daemon, which must be running.
func (l *lab) signal(s syscall.Signal) {
	l.t.Helper()
	l.send("ldirectord.cf", s)
}

// send is signal for the daemon of a configuration. It waits for the end of one that is killed.
func (l *lab) send(config string, s syscall.Signal) {
	l.t.Helper()
	pid := l.pidOf(config)
	if pid == 0 {
		l.t.Fatalf("no daemon of %s:\n%s", config, l.logText())
	}
	testkit.OK(l.t, syscall.Kill(pid, s))
	for s == syscall.SIGKILL && l.pidOf(config) != 0 {
		time.Sleep(5 * time.Millisecond)
	}
}

// kill ends the daemon as a crash does.
func (l *lab) kill() {
	l.t.Helper()
	l.signal(syscall.SIGKILL)
}
