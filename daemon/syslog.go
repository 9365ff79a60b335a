package daemon

import (
	"fmt"
	"net"
	"os"
	"time"

	"ldirectord/parser"
)

const (
	severityInfo  = 6
	syslogTimeout = time.Second
)

// syslogSockets are where a syslog daemon listens.
var syslogSockets = []string{"/dev/log", "/var/run/syslog", "/run/systemd/journal/dev-log"}

// syslogWriter sends lines to the local syslog daemon as RFC 3164 has them. It is connected again
// when the daemon was restarted, and never waits longer than a second.
type syslogWriter struct {
	facility string
	priority int
	conn     net.Conn
}

func newSyslogWriter(facility string) *syslogWriter {
	number, ok := parser.SyslogFacility(facility)
	if !ok {
		number, _ = parser.SyslogFacility("user")
	}
	return &syslogWriter{facility: facility, priority: number<<3 | severityInfo}
}

func (w *syslogWriter) Write(line []byte) (int, error) {
	text := fmt.Sprintf("<%d>%s ldirectord[%d]: %s", w.priority, time.Now().Format(time.Stamp), os.Getpid(), line)
	for range 2 {
		if w.conn == nil {
			w.conn = dialSyslog()
		}
		if w.conn == nil {
			break
		}
		_ = w.conn.SetWriteDeadline(time.Now().Add(syslogTimeout))
		if _, err := w.conn.Write([]byte(text)); err == nil {
			return len(line), nil
		}
		w.conn.Close()
		w.conn = nil
	}
	return fmt.Fprintf(os.Stderr, "%s\n", line)
}

func dialSyslog() net.Conn {
	for _, path := range syslogSockets {
		for _, network := range []string{"unixgram", "unix"} {
			if c, err := net.DialTimeout(network, path, syslogTimeout); err == nil {
				return c
			}
		}
	}
	return nil
}
