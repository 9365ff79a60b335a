package instance

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"ldirectord/internal/testkit"
)

// standIn is a process with a command line of our choice, except for -s after its name. It is a shell that waits
// until end closes its input.
type standIn struct {
	*exec.Cmd
	in io.Closer
}

func pretend(t *testing.T, name string, words ...string) standIn {
	t.Helper()
	return pretendAs(t, uint32(os.Geteuid()), nil, name, words...)
}

// pretendAs starts a standIn as another user, with open files.
func pretendAs(t *testing.T, user uint32, open []*os.File, name string, words ...string) standIn {
	t.Helper()
	cmd := exec.Command("/bin/sh")
	cmd.ExtraFiles = open
	cmd.Args = append([]string{name, "-s"}, words...)
	if user != uint32(os.Geteuid()) {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: user, Gid: user}}
	}
	in := testkit.Must(cmd.StdinPipe())(t)
	testkit.OK(t, cmd.Start())
	t.Cleanup(func() { in.Close(); cmd.Wait() })
	testkit.Until(t, 10*time.Second, func() bool { return len(argv(cmd.Process.Pid)) == len(cmd.Args) },
		"no command line")
	return standIn{cmd, in}
}

func (s standIn) process(t *testing.T) Process {
	t.Helper()
	return testkit.Must(processOf(s.Process.Pid))(t)
}

func putPid(t *testing.T, path string, pid int) {
	t.Helper()
	testkit.OK(t, os.WriteFile(path, []byte(fmt.Sprintln(pid)), 0o644))
}

func TestAProcessIsItsNumberAndItsTimeOfStart(t *testing.T) {
	s := pretend(t, "sh")
	p := s.process(t)
	testkit.Equal(t, p.Lives(), true)
	testkit.Equal(t, Process{Pid: p.Pid, Start: p.Start + 1}.Lives(), false, "one with the same number")
	ctx := testkit.Within(t, 30*time.Millisecond)
	testkit.FailsWith(t, p.Await(ctx), "does not exit")
	s.in.Close()
	testkit.OK(t, p.Await(soon(t))) // no process has waited for it, so its pid is still in use
}

// SIGKILL stays pending until the process is reaped; other signals are delivered.
func TestAKilledProcessIsKnown(t *testing.T) {
	if isKilled(os.Getpid()) || isKilled(1<<30) {
		t.Error("this process, or none, counts as killed")
	}
	for sig, want := range map[syscall.Signal]bool{syscall.SIGKILL: true, syscall.SIGTERM: false} {
		s := pretend(t, "sh")
		p := s.process(t)
		testkit.OK(t, s.Process.Signal(sig))
		testkit.OK(t, p.Await(soon(t)))
		testkit.Equal(t, isKilled(p.Pid), want, sig)
	}
}

// A pager, an editor or a tail with ldirectord in its command line is not a director. This program may have another
// name.
func TestCommandLinesOfDirectors(t *testing.T) {
	defer func(name string) { os.Args[0] = name }(os.Args[0])
	os.Args[0] = "/opt/balancer"
	for _, row := range testkit.Table(t, "testdata/commands.txt", 3) {
		line := strings.Split(row[0], " ")
		for i := range line {
			line[i] = strings.ReplaceAll(line[i], "·", " ")
		}
		testkit.Equal(t, isOurs(line), row[1] == "ours" || row[1] == "ours, memory", row[0], "is ours")
		config, perl := isPerl(line)
		testkit.Equal(t, perl, row[1] == "perl", row[0], "is Perl's")
		testkit.Equal(t, config, row[2], row[0], "its file")
		if isOurs(line) {
			testkit.Equal(t, onKernel(line), row[1] == "ours", row[0], "is on the kernel's table")
		}
	}
}

// The Perl ldirectord is found by the pid file of either spelling, if its command line names this file. Without
// CONFIG in the command line it is found for the default file.
func TestThePerlDaemonIsFoundByItsPidFile(t *testing.T) {
	dir := t.TempDir()
	testkit.Rows(t, "testdata/perl.txt", 6, func(t *testing.T, row []string) {
		names := strings.Fields(row[3])
		i := New(t.TempDir(), Daemon{Path: dir + "/x.cf", Table: row[4], NetNS: NetNS()}, names...)
		line := strings.ReplaceAll(row[1], "DIR", dir)
		perl := pretend(t, "/usr/bin/perl", strings.Fields(line)...)
		putPid(t, i.files(row[2]).Pid, perl.Process.Pid)
		found, want := i.Find(), row[5] == "found"
		testkit.Equal(t, found.Pid, map[bool]int{true: perl.Process.Pid}[want], "found")
		testkit.Equal(t, found.Stale, !want && row[2] == names[0], "stale")
	})
}

// A Perl ldirectord with another file uses the name: its pid file is not overwritten.
func TestThePerlDaemonsNameIsNotTaken(t *testing.T) {
	i := New(t.TempDir(), Daemon{Path: "/b/x.cf", Table: Kernel, NetNS: NetNS()}, "x.cf")
	perl := pretend(t, "/usr/bin/perl", "/usr/sbin/ldirectord", "/a/x.cf", "start")
	putPid(t, i.PidFile(), perl.Process.Pid)
	if _, err := i.Acquire(soon(t), ""); err == nil {
		t.Error("a daemon started under the same name")
	}
	pid, _ := readPid(i.PidFile())
	testkit.Equal(t, pid, perl.Process.Pid, "in the pid file")
}

// With fork=yes the children of the Perl ldirectord keep running when their parent has ended.
func TestTheChildrenOfThePerlDaemon(t *testing.T) {
	parent := exec.Command("sh", "-c", `exec -a "ldirectord tcp:10.1.0.1:80" sleep 60 & echo $!; wait`)
	parent.Path, parent.Err = "/bin/bash", nil
	if _, err := os.Stat(parent.Path); err != nil {
		t.Skip("there is no bash, which gives a process a name")
	}
	out := testkit.Must(parent.StdoutPipe())(t)
	testkit.OK(t, parent.Start())
	defer func() { parent.Process.Kill(); parent.Wait() }()
	var child int
	testkit.OK(t, testkit.Error(fmt.Fscan(out, &child)))
	defer func() { p, _ := os.FindProcess(child); p.Kill() }()
	p := testkit.Must(processOf(parent.Process.Pid))(t)
	testkit.Until(t, 10*time.Second, func() bool { return slices.Equal(p.Forked(), []int{child}) }, "no child")
}

// Any user may run a program of this name. It does not keep us from a virtual service.
func TestAPerlOfAnotherUserHoldsNothing(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can start a process of another user")
	}
	i := New(t.TempDir(), Daemon{Path: "/b/x.cf", Table: Kernel, NetNS: NetNS()}, "x.cf")
	words := []string{"/usr/sbin/ldirectord", "/a/x.cf", "start"}
	root, other := pretend(t, "/usr/bin/perl", words...), pretendAs(t, 12345, nil, "/usr/bin/perl", words...)
	found := map[int]bool{}
	for _, s := range i.Strangers(nil, true) {
		found[s.Pid] = true
	}
	if !found[root.Process.Pid] || found[other.Process.Pid] {
		t.Errorf("found %v; root has %d, another user %d", found, root.Process.Pid, other.Process.Pid)
	}
}
