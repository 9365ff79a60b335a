package main

import (
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

const (
	tellTime    = time.Second // how long the service manager may take to read a message
	shortestDog = 40 * time.Millisecond
)

// serviceManager is who started this process and wants to hear how it does: systemd, or who speaks its
// protocol (sd_notify(3)). The zero value hears nothing.
type serviceManager struct {
	socket string        // where it listens: a path, or @name in the abstract name space
	every  time.Duration // at least so often it is fed, else it ends this process; 0: it doesn't
	beats  chan struct{} // the director lives
	fed    time.Time     // when it was told so last
}

// newServiceManager takes what the environment says of it. What this process starts must not speak for
// it, and so does not inherit that.
func newServiceManager() serviceManager {
	m := serviceManager{socket: os.Getenv("NOTIFY_SOCKET"), beats: make(chan struct{}, 1)}
	pid, usec := os.Getenv("WATCHDOG_PID"), os.Getenv("WATCHDOG_USEC")
	for _, name := range []string{"NOTIFY_SOCKET", "WATCHDOG_PID", "WATCHDOG_USEC"} {
		os.Unsetenv(name)
	}
	limit, err := strconv.ParseInt(usec, 10, 64)
	if err == nil && (pid == "" || pid == strconv.Itoa(os.Getpid())) {
		m.every = max(time.Duration(limit)*time.Microsecond, shortestDog) / 4
	}
	return m
}

// alive is told by the director's goroutine; it never blocks.
func (m *serviceManager) alive() {
	select {
	case m.beats <- struct{}{}:
	default:
	}
}

// feed keeps the watchdog from ending this process. The daemon's goroutine calls it when the director has
// shown that it lives, so that both must.
func (m *serviceManager) feed() {
	if m.every == 0 || time.Since(m.fed) < m.every/2 {
		return
	}
	m.fed = time.Now()
	m.tell("WATCHDOG=1")
}

// ready tells that the daemon does its work, and what that is.
func (m *serviceManager) ready(status string) { m.tell("READY=1", "STATUS="+status) }

// reloading tells that another configuration is being read; ready follows.
func (m *serviceManager) reloading() {
	var now unix.Timespec
	if m.socket == "" || unix.ClockGettime(unix.CLOCK_MONOTONIC, &now) != nil {
		return
	}
	m.tell("RELOADING=1", fmt.Sprintf("MONOTONIC_USEC=%d", now.Nano()/1000), "STATUS=Reading the configuration")
}

func (m *serviceManager) stopping() { m.tell("STOPPING=1", "STATUS=Ending") }

// tell sends one message. Nobody is there to hear that it failed: the service manager finds out itself.
func (m *serviceManager) tell(lines ...string) {
	if m.socket == "" {
		return
	}
	conn, err := net.DialTimeout("unixgram", m.socket, tellTime)
	if err != nil {
		return
	}
	defer conn.Close()
	_ = conn.SetWriteDeadline(time.Now().Add(tellTime))
	_, _ = conn.Write([]byte(strings.Join(lines, "\n")))
}
