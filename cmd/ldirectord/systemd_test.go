package main

import (
	"errors"
	"net"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"ldirectord/internal/instance"
	"ldirectord/internal/testkit"
)

// managed is a daemon in the foreground, with the test as its service manager.
type managed struct {
	*runningDaemon
	conn *net.UnixConn
	cmd  *exec.Cmd

	output *os.File // its standard error
}

const managedConfig = `checkinterval = 1
virtual = 10.1.0.1:7000
        real = 10.2.0.1:7000 gate
        checktype = external
        checkcommand = %check
`

func startManaged(t *testing.T, watchdog string) *managed {
	t.Helper()
	m := &managed{runningDaemon: unstarted(t, "")}
	testkit.Script(t, m.path("check"), "#!/bin/sh\nenv >"+m.path("environment")+"\n")
	m.configure(managedConfig)
	m.output = testkit.Must(os.Create(m.path("output")))(t)
	t.Cleanup(func() { m.output.Close() })
	m.conn = testkit.Must(net.ListenUnixgram("unixgram", &net.UnixAddr{Name: m.path("notify"), Net: "unixgram"}))(t)
	t.Cleanup(func() { m.conn.Close() })
	m.cmd = exec.Command(program(t), append(m.args, "start", "--foreground")...)
	m.cmd.Env = append(os.Environ(), "NOTIFY_SOCKET="+m.path("notify"), "WATCHDOG_USEC="+watchdog)
	m.cmd.Stderr = m.output
	testkit.OK(t, m.cmd.Start())
	t.Cleanup(func() { m.cmd.Process.Kill(); m.cmd.Wait() })
	return m
}

func (m *managed) configure(text string) {
	m.t.Helper()
	m.write(strings.ReplaceAll(text, "%check", m.path("check")))
}

func (m *managed) signal(s os.Signal) {
	m.t.Helper()
	testkit.OK(m.t, m.cmd.Process.Signal(s))
}

// receives waits for a message that matches, and ignores others before it.
func (m *managed) receives(pattern string) {
	m.t.Helper()
	var received []string
	for end := time.Now().Add(awaitLimit); time.Now().Before(end); {
		message, err := m.next(time.Until(end))
		if err != nil {
			break
		}
		if received = append(received, message); regexp.MustCompile(pattern).MatchString(message) {
			return
		}
	}
	m.t.Fatalf("received %q, want %q", received, pattern)
}

func (m *managed) next(within time.Duration) (string, error) {
	testkit.OK(m.t, m.conn.SetReadDeadline(time.Now().Add(within)))
	text := make([]byte, 4096)
	n, err := m.conn.Read(text)
	return string(text[:n]), err
}

func (m *managed) table() string { return testkit.Read(m.t, m.path("table")) }

// The service manager is notified of readiness, reloads and the end.
func TestTheServiceManagerIsNotified(t *testing.T) {
	m := startManaged(t, "")
	m.receives(`^READY=1\nSTATUS=Virtual services: 1, real servers: 1$`)
	testkit.Contains(t, m.table(), "-r 10.2.0.1:7000 -g -w 1", "ready with the table")
	if out, err := m.say("status"); err != nil {
		t.Errorf("status: %s", out)
	}
	environment, err := os.ReadFile(m.path("environment"))
	if err != nil || strings.Contains(string(environment), "NOTIFY_SOCKET") {
		t.Errorf("the environment of a check: %v\n%s", err, environment)
	}

	m.configure(managedConfig + "        scheduler = rr\n")
	if out, err := m.say("reload"); err != nil || !strings.Contains(m.table(), "-s rr") {
		t.Errorf("reload: %v, %s and the table\n%s", err, out, m.table())
	}
	m.receives(`^RELOADING=1\nMONOTONIC_USEC=\d+\n`)
	m.receives(`^READY=1`)
	m.configure("virtual = nonsense\n")
	m.signal(syscall.SIGHUP)
	m.receives(`^RELOADING=1`)
	m.receives(`^READY=1\nSTATUS=.* the file was refused`)

	m.signal(syscall.SIGTERM)
	m.receives(`^STOPPING=1`)
	if err := m.cmd.Wait(); err != nil {
		t.Error(err)
	}
	testkit.Equal(t, m.table(), "", "left in the table")
}

// When the director hangs in the middle of a change, the rest of the daemon does not feed the watchdog.
func TestTheWatchdogIsFedByTheDirector(t *testing.T) {
	m := startManaged(t, "400000")
	m.receives(`^READY=1`)
	for range 3 {
		m.receives(`^WATCHDOG=1$`)
	}
	testkit.OK(t, os.Remove(m.path("table")))
	testkit.OK(t, syscall.Mkfifo(m.path("table"), 0o600)) // a write to it never ends
	m.configure(managedConfig + "        scheduler = rr\n")
	m.signal(syscall.SIGHUP)
	m.receives(`^RELOADING=1`)
	for quiet := false; !quiet; {
		message, err := m.next(400 * time.Millisecond)
		quiet = errors.Is(err, os.ErrDeadlineExceeded)
		if !quiet && !strings.HasPrefix(message, "WATCHDOG") {
			t.Fatalf("received %q (%v)", message, err)
		}
	}
}

// The unit does not start a daemon again whose file is refused, but does so after a crash, where Go's exit status is
// 2.
func TestARefusedFileDoesNotLookLikeACrash(t *testing.T) {
	m := startManaged(t, "")
	m.receives(`^READY=1`)
	m.signal(syscall.SIGXCPU) // no effect
	m.signal(syscall.SIGABRT)
	testkit.Equal(t, exitStatus(m.cmd.Wait()), exitConfig, "crashed with")
	m.configure("virtual = nonsense\n")
	again := exec.Command(program(t), append(m.args, "start", "--foreground")...)
	testkit.Equal(t, exitStatus(again.Run()), exitForegroundConfig, "refused with")
}

func exitStatus(err error) int {
	var ended *exec.ExitError
	if !errors.As(err, &ended) {
		return exitOK
	}
	return ended.ExitCode()
}

func TestTheUnitOfAProcess(t *testing.T) {
	for groups, want := range map[string]instance.Supervisor{
		"0::/system.slice/ldirectord.service\n":                                       "ldirectord.service",
		"0::/system.slice/system-ldirectord.slice/ldirectord@web.service\n":           "ldirectord@web.service",
		"12:pids:/x.service\n1:name=systemd:/system.slice/ldirectord.service\n0::/\n": "ldirectord.service",
		"0::/user.slice/user-0.slice/session-1.scope\n":                               "",
		"": "",
	} {
		testkit.Equal(t, serviceIn(groups), want, groups)
	}
}
