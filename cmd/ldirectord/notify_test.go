package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"ldirectord/internal/daemon"
	"ldirectord/internal/instance"
	"ldirectord/internal/resolve"
	"ldirectord/internal/runfile"
	"ldirectord/internal/testkit"
)

func TestStatesOfNotify(t *testing.T) {
	for _, row := range testkit.Table(t, "../../testdata/options/notify.txt", 2) {
		serve, err := vrrpServes(strings.Fields(row[0]))
		got := strconv.FormatBool(serve)
		if err != nil {
			got = err.Error()
		}
		testkit.Equal(t, got, row[1], row[0])
	}
}

// keepalived kills its script when it ends itself, and the script's order may still be waiting for a daemon that is
// ending. The order is carried out all the same.
func TestAnOrderIsCarriedOutWhenItsVerbIsKilled(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "ld.cf")
	text := "virtual = 10.1.0.1:80\n\treal = 10.2.0.1:80 gate\n\tchecktype = on\n"
	testkit.Write(t, file, text)
	o := options{RunDir: dir, config: file}
	table := filepath.Join(dir, "table")
	ending := pretendEnding(t, o.instance(), instance.Daemon{Path: file, Table: "memory:" + table,
		NetNS: instance.NetNS()})

	verb := exec.Command(program(t), "--rundir", dir, "--ipvs", "memory:"+table, file, "notify", "master")
	verb.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	testkit.OK(t, verb.Start())
	t.Cleanup(func() { endDaemons(dir) })
	within(t, "a process of its own that carries the order out", func() bool {
		// of any of its threads
		lists, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", verb.Process.Pid))
		return slices.ContainsFunc(lists, func(path string) bool {
			children, _ := os.ReadFile(path)
			child, err := strconv.Atoi(strings.TrimSpace(string(children)))
			group, err2 := syscall.Getpgid(child)
			return err == nil && err2 == nil && child > 0 && group != verb.Process.Pid
		})
	})
	testkit.OK(t, syscall.Kill(-verb.Process.Pid, syscall.SIGKILL))
	if err := verb.Wait(); err == nil {
		t.Error("it was not killed")
	}
	ending()
	within(t, "the table", func() bool {
		text, err := os.ReadFile(table)
		return err == nil && strings.Contains(string(text), "-r 10.2.0.1:80")
	})
}

// A daemon that was ordered to leave ends by itself: keepalived may have killed the command that gave the order.
func TestADaemonThatIsToLeaveEndsByItself(t *testing.T) {
	d := launched(t, "start", "virtual = 10.1.0.1:80\n\treal = 10.2.0.1:80 gate\n\tchecktype = on\n")
	o := d.options()
	var answer daemon.RoleAnswer
	if err := o.socket().Order(t.Context(), daemon.OrderTimeout, "/role",
		url.Values{"to": {string(instance.ToLeave)}}, &answer); err != nil || answer.Role != instance.Stopped {
		t.Fatalf("%+v, %v", answer, err)
	}
	within(t, "end", func() bool { return o.instance().Find().Pid == 0 })
}

// A supervisor that starts no daemon after a crash is no success of a promotion. The record is that of the crash.
func TestTheSupervisorHasGivenUp(t *testing.T) {
	c := &call{options: options{RunDir: t.TempDir(), path: "/ld.cf"}}
	over, cancel := context.WithCancel(t.Context())
	cancel()
	c.ctx = over
	for by, want := range map[string]string{
		"somebody":  "start one where the last one was started",
		"a.service": "start one with systemctl start a.service",
	} {
		testkit.Write(t, c.instance().Files().State, fmt.Sprintf(`{"Format": 2, "Path": "/ld.cf", "NetNS": %d,
			"Phase": "running", "Supervisor": %q}`, instance.NetNS(), by))
		testkit.FailsWith(t, detach(c, instance.Active, false), want)
		testkit.OK(t, detach(c, instance.Standby, false))
	}
}

// pretendEnding makes a process look like a daemon that is ending, until end is called. It has a pid file and a
// state, but holds no lock: only its start time shows that it runs.
func pretendEnding(t *testing.T, i instance.Instance, d instance.Daemon) (end func()) {
	t.Helper()
	old := exec.CommandContext(t.Context(), "sh")
	old.Args = []string{"ldirectord", "-c", "read end; exit 0", "--rundir=" + filepath.Dir(i.PidFile()), "start"}
	in := testkit.Must(old.StdinPipe())(t)
	testkit.OK(t, old.Start())
	awaitExec(t, old.Process.Pid)
	testkit.OK(t, os.WriteFile(i.PidFile(), fmt.Appendln(nil, old.Process.Pid), 0o644))
	lock := testkit.Must(runfile.OpenLock(i.Files().Lock))(t)
	testkit.OK(t, runfile.TryLock(lock))
	onKernel := instance.New(filepath.Dir(i.PidFile()), instance.Daemon{Table: instance.Kernel, NetNS: d.NetNS},
		filepath.Base(d.Path))
	state := instance.State{Format: 2, Daemon: d, Process: onKernel.Find().Process, Phase: instance.Ending}
	text, err := json.Marshal(state)
	if err == nil {
		err = os.WriteFile(i.Files().State, text, 0o644)
	}
	if err != nil || state.Pid == 0 {
		t.Fatalf("%v, pid %d", err, state.Pid)
	}
	return func() {
		in.Close()
		if err := old.Wait(); err != nil {
			t.Error(err)
		}
		lock.Close()
	}
}

// awaitExec waits until a process shows its command line, which it does shortly after its start.
func awaitExec(t *testing.T, pid int) {
	t.Helper()
	within(t, "command line", func() bool {
		line, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
		return err == nil && len(line) > 0
	})
}

func within(t *testing.T, what string, done func() bool) {
	t.Helper()
	testkit.Until(t, awaitLimit, done, "no", what)
}

// The next daemon may wait for its supervisor, then for its file, then for names.
func TestTheNextDaemonHasTimeToStart(t *testing.T) {
	c := &call{options: options{RunDir: t.TempDir(), path: "/no/ld.cf"}}
	synctest.Test(t, func(t *testing.T) {
		c.ctx = t.Context()
		begun := time.Now()
		testkit.FailsWith(t, c.awaitNext("ld.service"), "start one with systemctl start ld.service")
		const pause = time.Second
		if took := time.Since(begun); took <= pause+runfile.ReadTimeout+resolve.LookupDeadline {
			t.Errorf("it waited for %v", took)
		}
	})
}
