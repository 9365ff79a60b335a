package protocol

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ldirectord/checker"
	"ldirectord/checker/wire"
	"ldirectord/internal/testkit"
)

// writeScript writes a program and returns its path.
func writeScript(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "check")
	testkit.OK(t, os.WriteFile(path, []byte(text), 0o755))
	return path
}

func externalSpec(command string) Spec {
	return Spec{
		Type: "external", Protocol: "tcp", Command: command, Timeout: patient,
		Args: strings.Join([]string{"10.1.0.1", "80", "[fe80::1 x", "0"}, "\x00"),
	}
}

// checkedFile makes the check of a program once; FILE replaces its path.
func checkedFile(t *testing.T, s Spec) Result {
	t.Helper()
	r := checked(t, s)
	if s.Command != "" {
		r.Detail = strings.ReplaceAll(r.Detail, s.Command, "FILE")
	}
	return r
}

func TestExternal(t *testing.T) {
	for name, c := range map[string]struct {
		command string
		want    string
	}{
		"default": {"", "up: exit status 0"},
		"success": {writeScript(t, "#!/bin/sh\necho fine; exit 0\n"), "up: exit status 0: fine"},
		"failure": {writeScript(t, "#!/bin/sh\necho; echo '  bad thing ' >&2; echo more; exit 3\n"),
			"down: exit status 3: bad thing"},
		"arguments": {writeScript(t, "#!/bin/sh\necho $# \"$1,$2,$3,$4\"; exit 1\n"),
			"down: exit status 1: 4 10.1.0.1,80,[fe80::1 x,0"},
		"controls": {writeScript(t, "#!/bin/sh\nprintf 'a\\033[31mb\\n'; exit 1\n"),
			`down: exit status 1: a\x1b[31mb`},
		"no #! line": {writeScript(t, "echo $#; exit 4\n"), "down: exit status 4: 4"},
		"signal": {writeScript(t, "#!/bin/sh\nkill -SEGV $$\n"),
			"down: died of signal 11 (segmentation fault)"},
		"missing":            {"/does/not/exist", "down: can't run FILE: no such file or directory"},
		"not in the path":    {"no-such-program", "down: can't run FILE: not found"},
		"options are a name": {"/bin/true -x", "down: can't run FILE: no such file or directory"},
		"a directory":        {"/", "down: can't run FILE: is a directory"},
		"missing shell": {writeScript(t, "#!/does/not/exist\n"),
			"down: can't run FILE: its interpreter or loader was not found"},
	} {
		t.Run(name, func(t *testing.T) {
			testkit.Leaks(t)
			expect(t, checkedFile(t, externalSpec(c.command)), c.want)
		})
	}
}

func TestExternalWithoutPermission(t *testing.T) {
	path := writeScript(t, "#!/bin/sh\n")
	testkit.OK(t, os.Chmod(path, 0o644))
	expect(t, checkedFile(t, externalSpec(path)), "down: can't run FILE: permission denied")
}

func TestExternalIsKilledWithAllItStarted(t *testing.T) {
	testkit.Leaks(t)
	pids := filepath.Join(t.TempDir(), "pids")
	path := writeScript(t, fmt.Sprintf("#!/bin/sh\necho waiting\ntrap '' TERM\nsleep 60 &\necho $! $$ >%s\n"+
		"sleep 60\n", pids))
	spec := externalSpec(path)
	var written []byte
	moreTime(4*short, func(limit time.Duration) (Result, bool) {
		spec.Timeout = limit
		r, took := timed(t, build(t, spec, nil))
		if took > limit+2*slack {
			t.Errorf("took %v", took)
		}
		written, _ = os.ReadFile(pids)
		return r, !r.OK && r.Detail == fmt.Sprintf("did not end in %v, killed: waiting", limit) &&
			len(strings.Fields(string(written))) == 2
	}, func(r Result) { t.Errorf("%+v, processes %q", r, written) })
	allGone(t, strings.Fields(string(written))...)
}

// A program that only computes fails at its limit. Where the machine had no processor for it, that is a shortage.
func TestExternalThatComputesForeverFails(t *testing.T) {
	testkit.Leaks(t)
	spec := externalSpec(writeScript(t, "#!/bin/sh\nwhile :; do :; done\n"))
	spec.Timeout = 2 * short
	r := checked(t, spec)
	busy := r.Cause == checker.Shortage && strings.HasPrefix(r.Detail, "did not end in 5.3s, ")
	if r.OK || r.Cause != checker.Timeout && !busy {
		t.Errorf("%+v", r)
	}
}

// allGone waits until processes have ended.
func allGone(t *testing.T, pids ...string) {
	t.Helper()
	for _, pid := range pids {
		if !gone(t, pid) {
			t.Errorf("process %s lives", pid)
		}
	}
}

// gone waits until a process has ended. (It may be a zombie of init's for a moment.)
func gone(t *testing.T, pid string) bool {
	t.Helper()
	id, err := strconv.Atoi(pid)
	if err != nil {
		t.Fatal(err)
	}
	fd, err := unix.PidfdOpen(id, 0)
	if err != nil {
		return err == unix.ESRCH
	}
	defer unix.Close(fd)
	n, _ := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, int(patient.Milliseconds()))
	return n == 1
}

func TestExternalThatLeavesAChildBehindIsNotWaitedFor(t *testing.T) {
	testkit.Leaks(t)
	pids := filepath.Join(t.TempDir(), "pid")
	path := writeScript(t, fmt.Sprintf("#!/bin/sh\nsleep 60 &\necho $! >%s\nexit 0\n", pids))
	r, took := timed(t, build(t, externalSpec(path), nil))
	if !r.OK || took > 3*slack {
		t.Errorf("%+v after %v", r, took)
	}
	written := testkit.Read(t, pids)
	pid := testkit.Must(strconv.Atoi(strings.TrimSpace(written)))(t)
	syscall.Kill(pid, syscall.SIGKILL)
}

func TestExternalMayFloodItsOutput(t *testing.T) {
	testkit.Leaks(t)
	path := writeScript(t, "#!/bin/sh\nhead -c 5000000 /dev/zero | tr '\\0' x\nexit 1\n")
	expect(t, checked(t, externalSpec(path)), "down: exit status 1: "+strings.Repeat("x", 4*wire.MaxExcerpt)+"…")
}

func TestExternalLeavesNoZombie(t *testing.T) {
	path := writeScript(t, "#!/bin/sh\necho $$; exit 1\n")
	c := build(t, externalSpec(path), nil)
	for range 3 {
		r := c.Check(t.Context())
		pid := strings.TrimPrefix(r.Detail, "exit status 1: ")
		if _, err := os.Stat("/proc/" + pid); err == nil {
			t.Errorf("process %s is still there", pid)
		}
	}
}

func TestExternalProgramsAreBounded(t *testing.T) {
	testkit.Leaks(t)
	running := filepath.Join(t.TempDir(), "running")
	testkit.OK(t, os.Mkdir(running, 0o755))
	path := writeScript(t, fmt.Sprintf("#!/bin/sh\ntouch %[1]s/$$\nset -- %[1]s/*\nsleep 0.02\nrm %[1]s/$$\n"+
		"exit $#\n", running))
	e := &Env{Children: make(chan struct{}, 1)}
	spec := externalSpec(path)
	spec.Timeout = time.Minute // long enough for all the checks, one after the other
	var wait sync.WaitGroup
	for range 5 {
		c := build(t, spec, e)
		wait.Go(func() {
			if r := c.Check(context.Background()); r.Detail != "exit status 1" {
				t.Errorf("%+v", r)
			}
		})
	}
	wait.Wait()
	if len(e.Children) != 0 {
		t.Error("a turn was not given back")
	}
}

func TestExternalWithoutATurnIsOurShortage(t *testing.T) {
	testkit.Leaks(t)
	e := &Env{Children: make(chan struct{}, 1)}
	e.Children <- struct{}{}
	spec := externalSpec("")
	spec.Timeout = short
	expect(t, build(t, spec, e).Check(t.Context()), "shortage: too many programs are running already")
}

func TestCancelledExternalIsKilled(t *testing.T) {
	testkit.Leaks(t)
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(50*time.Millisecond, cancel)
	c := build(t, externalSpec(writeScript(t, "#!/bin/sh\nexec sleep 60\n")), nil)
	begin := time.Now()
	if r := c.Check(ctx); r.OK || r.Cause != checker.Shortage || time.Since(begin) > patient {
		t.Errorf("%+v after %v", r, time.Since(begin))
	}
}

// An external program starts like any other child process: no signal is blocked or ignored, it inherits no
// descriptor, and its limit of descriptors is the usual one, not the one that Go sets for itself.
func TestExternalStartsWithCleanSignalsAndLimits(t *testing.T) {
	if _, err := os.Stat("/proc/self/status"); err != nil {
		t.Skip("needs /proc")
	}
	const (
		limits = `echo descriptors $(ls /proc/self/fd), at most $(ulimit -Sn)`
		show   = `cat /proc/self/status; echo "Limits:	$(` + limits + `)"`
	)
	began := filepath.Join(t.TempDir(), "began")
	if r := checked(t, externalSpec(writeScript(t, "#!/bin/sh\n("+show+") >"+began+"\n"))); !r.OK {
		t.Fatalf("%+v", r)
	}
	text := testkit.Must(os.ReadFile(began))(t)
	plain := testkit.Must(exec.Command(writeScript(t, "#!/bin/sh\n(echo \"$("+limits+")\")\n")).Output())(t)
	told := 0
	for line := range strings.Lines(string(text)) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ":\t")
		switch name {
		case "SigBlk", "SigIgn":
			// Real-time signals (from 32 on) are as the process that started this test left them.
			if mask, err := strconv.ParseUint(value, 16, 64); err != nil || mask&(1<<31-1) != 0 {
				t.Errorf("%s is %s", name, value)
			}
		case "Limits":
			if value != strings.TrimSpace(string(plain)) {
				t.Errorf("%s; another child: %s", value, plain)
			}
		default:
			continue
		}
		told++
	}
	if told != 3 {
		t.Errorf("%d of 3 lines were found in\n%s", told, text)
	}
}

func TestExternalPerl(t *testing.T) {
	if _, err := exec.LookPath("perl"); err != nil {
		t.Skip("needs perl")
	}
	const show = `print scalar(@ARGV) . " @ARGV\n"; exit 1;`
	for name, c := range map[string]struct {
		code string
		want string
	}{
		"arguments": {show, "down: exit status 1: 4 10.1.0.1 80 [fe80::1 x 0"},
		"arguments of a function": {`my ($vip) = @_; my $first = shift; print "$vip $first $ARGV[0]"; exit 2`,
			"down: exit status 2: 10.1.0.1 10.1.0.1 10.1.0.1"},
		"end of the file":     {`print "fine"`, "up: exit status 0: fine"},
		"ends with a comment": {"1; # no newline", "up: exit status 0"},
		"return":              {"return 7;\n", "up: exit status 0"},
		"exit":                {"exit;\n", "up: exit status 0"},
		"exit 0":              {"eval { exit 0; }; exit 1", "up: exit status 0"},
		"exit inside eval":    {"eval { exit 3; }; exit 0", "down: exit status 3"},
		"exit 256 is not 0":   {"exit 256;\n", "down: exit status 255"},
		"exit with text":      {"exit 'fine';\n", "up: exit status 0"},
		"die":                 {"\ndie 'no good';\n", "down: exit status 255: no good at FILE line 2."},
		"syntax error":        {"\n\nif (;\n", "down: exit status 255: syntax error at FILE line 3, *"},
		"shebang and strict": {"#!/usr/bin/perl -w\nuse strict;\nmy $x = 1;\nexit($x);\n",
			"down: exit status 1"},
		"modules of the daemon": {"exit(inet_ntoa(inet_aton('127.0.0.1')) eq '127.0.0.1' && hostname() ne '' " +
			"&& md5_hex('') ne '' ? 0 : 1)", "up: exit status 0"},
		"log function": {"ld_log('in trouble'); &ld_debug(2, 'x'); exit 1",
			"down: exit status 1: in trouble"},
		"function of its own": {"sub ok { return 0 } exit ok();", "up: exit status 0"},
		"signal":              {"kill 'SEGV', $$; sleep 1", "down: died of signal 11 (segmentation fault)"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			spec := externalSpec(writeScript(t, c.code))
			spec.Type = "external-perl"
			expect(t, checkedFile(t, spec), c.want)
		})
	}
	t.Run("missing", func(t *testing.T) {
		spec := externalSpec("/does/not/exist")
		spec.Type = "external-perl"
		expect(t, checked(t, spec),
			"down: exit status 2: can't open /does/not/exist: No such file or directory")
	})
}
