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
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"

	"ldirectord/checker"
	"ldirectord/internal/testkit"
)

// writeScript writes a program and returns its path.
func writeScript(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "check")
	testkit.Script(t, path, text)
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
	for _, row := range testkit.Table(t, "../../testdata/checker/external.txt", 4) {
		t.Run(row[1]+", "+row[0], func(t *testing.T) {
			if row[1] == "external-perl" {
				needsPerl(t) // whose process stays
			} else {
				testkit.Leaks(t)
			}
			command, isPath := strings.CutPrefix(row[2], "at ")
			if !isPath && command != "" {
				command = writeScript(t, bare(t, command))
			}
			spec := externalSpec(command)
			spec.Type = row[1]
			expect(t, checkedFile(t, spec), inFull(row[3]))
		})
	}
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
	id := testkit.Must(strconv.Atoi(pid))(t)
	fd, err := unix.PidfdOpen(id, 0)
	if err != nil {
		return err == unix.ESRCH
	}
	defer unix.Close(fd)
	n, _ := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, int(patient.Milliseconds()))
	return n == 1
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
	e := &Env{Children: NewChildren(1)}
	spec := externalSpec(path)
	spec.Timeout = time.Minute // long enough for all the checks, one after the other
	var wait sync.WaitGroup
	for range 5 {
		c := build(t, spec, e)
		testkit.Equal(t, checker.ProgramsOf(c), 1, "programs at once")
		wait.Go(func() {
			testkit.Equal(t, c.Check(context.Background()).Detail, "exit status 1")
		})
	}
	wait.Wait()
	testkit.Equal(t, len(e.Children.slots), 0, "turns that were not given back")
}

// Each of several servers that hang has a turn, and is down, also with a short limit of its own.
func TestHangingExternalsWaitForATurn(t *testing.T) {
	testkit.Leaks(t)
	e := &Env{Children: NewChildren(1)}
	spec := externalSpec(writeScript(t, "#!/bin/sh\nexec sleep 60\n"))
	spec.Timeout = tooLate
	var wait sync.WaitGroup
	for range 3 {
		c := build(t, spec, e)
		wait.Go(func() { expect(t, c.Check(t.Context()), "down: did not end in "+tooLate.String()+", killed") })
	}
	testkit.Until(t, patient, func() bool { return len(e.Children.slots) == 1 }, "no program runs")
	spec.Timeout /= 20
	expect(t, build(t, spec, e).Check(t.Context()), "down: did not end in "+spec.Timeout.String()+", killed")
	wait.Wait()
}

func TestExternalWithoutATurnIsOurShortage(t *testing.T) {
	testkit.Leaks(t)
	e := &Env{Children: NewChildren(1)}
	e.Children.slots <- struct{}{}
	c := testkit.Must(newExternal(externalSpec(""), e))(t).(*external)
	c.latest = short
	expect(t, c.Check(t.Context()), "shortage: too many programs are running already")
}

// Nothing is reported before a check gives up. While slots come free, it waits for longer.
func TestAWaitForATurnEndsWhenNoneComes(t *testing.T) {
	for freed, want := range map[time.Duration]time.Duration{0: 5 * time.Minute, 4 * time.Minute: 9 * time.Minute} {
		synctest.Test(t, func(t *testing.T) {
			c := NewChildren(1)
			testkit.OK(t, c.acquire(t.Context(), time.Hour))
			begin := time.Now()
			if freed > 0 {
				go func() { testkit.OK(t, c.acquire(t.Context(), time.Minute)) }()
				synctest.Wait()
				time.AfterFunc(freed, c.release)
			}
			testkit.Is(t, c.acquire(t.Context(), time.Minute), errCrowded)
			testkit.Equal(t, time.Since(begin), want)
		})
	}
}

// A program that the kernel killed because memory was short proves nothing about the server.
func TestExternalKilledForMemoryIsOurShortage(t *testing.T) {
	const want = "shortage: killed by the kernel, which is short of memory"
	counter := filepath.Join(t.TempDir(), "vmstat")
	check := func(kind, code, want string) {
		t.Helper()
		testkit.Write(t, counter, "x 1\noom_kill 7\n")
		spec := externalSpec(writeScript(t, fmt.Sprintf(code, counter)))
		var c *external
		if spec.Type = kind; kind == "external" {
			c = testkit.Must(newExternal(spec, &Env{}))(t).(*external)
		} else {
			c = testkit.Must(newExternalPerl(spec, &Env{}))(t).(perlCheck).external
		}
		c.counter = oomCounter(counter)
		expect(t, c.Check(t.Context()), want)
	}
	check("external", "#!/bin/sh\n: %s; kill -9 $$\n", "down: died of signal 9 (killed)")
	const rise = `printf 'x 1\noom_kill 8\n' >%s; `
	check("external", "#!/bin/sh\n"+rise+"kill -9 $$\n", want)
	check("external", "#!/bin/sh\n"+rise+"exit 137\n", want)
	check("external", "#!/bin/sh\n"+rise+"exit 1\n", "down: exit status 1")
	needsPerl(t)
	check("external-perl", `BEGIN { system "`+strings.ReplaceAll(rise, `\`, `\\`)+`"; kill 9, $$; sleep 9 }`, want)
}

// The kills of other control groups don't count, if those of our own are known.
func TestWhoseKillsCount(t *testing.T) {
	for _, row := range testkit.Table(t, "../../testdata/checker/kills.txt", 4) {
		root := t.TempDir()
		for path, text := range map[string]string{"proc/self/cgroup": row[1], row[2]: "oom 9\noom_kill 3\n",
			"proc/vmstat": "x 1\noom_kill 7\n"} {
			path = filepath.Join(root, path)
			testkit.OK(t, os.MkdirAll(filepath.Dir(path), 0o755))
			testkit.Write(t, path, strings.ReplaceAll(text, " + ", "\n"))
		}
		testkit.Equal(t, fmt.Sprint(oomCounterBelow(root).kills()), row[3], row[0])
	}
}

// A reload makes tens of thousands of checks at once.
func TestAnExternalCheckIsMadeWithoutReadingFiles(t *testing.T) {
	spec, e := externalSpec(""), &Env{}
	made := testing.AllocsPerRun(9, func() { testkit.Must(newExternal(spec, e))(t) })
	testkit.Equal(t, made < 9, true, made, "allocations")
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
			testkit.Equal(t, value, strings.TrimSpace(string(plain)), "as for another child")
		default:
			continue
		}
		told++
	}
	testkit.Equal(t, told, 3, "lines were found in", text)
}
