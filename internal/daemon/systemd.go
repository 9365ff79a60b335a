package daemon

import (
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"ldirectord/internal/notify"
)

const (
	notifyTimeout = time.Second // how long the service manager may take to read a message
	minWatchdog   = 40 * time.Millisecond
)

// ServiceManager is systemd, or another program that started this process and speaks the protocol of sd_notify(3). The
// zero value sends nothing.
type ServiceManager struct {
	socket string        // where it listens: a path, or @name in the abstract namespace
	every  time.Duration // the longest time between two signs of life; 0: it needs none
	beats  notify.Wake   // signs of life of the director
	fed    time.Time     // when a sign of life was last passed on
}

// Listens reports whether there is a service manager.
func (m *ServiceManager) Listens() bool { return m.socket != "" }

// NewServiceManager reads the service manager's address from the environment and removes the variables, so that
// children of this process don't send messages in its name.
func NewServiceManager() *ServiceManager {
	m := &ServiceManager{socket: os.Getenv("NOTIFY_SOCKET"), beats: notify.NewWake()}
	pid, usec := os.Getenv("WATCHDOG_PID"), os.Getenv("WATCHDOG_USEC")
	for _, name := range []string{"NOTIFY_SOCKET", "WATCHDOG_PID", "WATCHDOG_USEC"} {
		os.Unsetenv(name)
	}
	limit, err := strconv.ParseInt(usec, 10, 64)
	if err == nil && (pid == "" || pid == strconv.Itoa(os.Getpid())) {
		m.every = max(time.Duration(limit)*time.Microsecond, minWatchdog) / 4
	}
	return m
}

// feed keeps the watchdog from killing this process. The daemon's main goroutine calls it after a sign of life from the
// director, so both must be alive.
func (m *ServiceManager) feed() {
	if m.every == 0 || time.Since(m.fed) < m.every/2 {
		return
	}
	m.fed = time.Now()
	m.send("WATCHDOG=1")
}

// ready reports that the daemon is ready, with a status line for operators.
func (m *ServiceManager) ready(status string) { m.send("READY=1", "STATUS="+status) }

// reloading reports that the configuration is being read. ready must follow.
func (m *ServiceManager) reloading() {
	var now unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_MONOTONIC, &now) // every kernel has this clock
	m.send("RELOADING=1", fmt.Sprintf("MONOTONIC_USEC=%d", now.Nano()/1000), "STATUS=Reading the configuration")
}

func (m *ServiceManager) stopping() { m.send("STOPPING=1", "STATUS=Ending") }

// send sends one message. Errors are ignored, because the service manager itself notices a missing message.
func (m *ServiceManager) send(lines ...string) {
	if m.socket == "" {
		return
	}
	conn, err := net.DialTimeout("unixgram", m.socket, notifyTimeout)
	if err != nil {
		return
	}
	defer conn.Close()
	_ = conn.SetWriteDeadline(time.Now().Add(notifyTimeout))
	_, _ = conn.Write([]byte(strings.Join(lines, "\n")))
}
