package daemon

import (
	"errors"
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

// syslogSockets are the sockets on which a syslog daemon may listen.
var syslogSockets = []string{"/dev/log", "/var/run/syslog", "/run/systemd/journal/dev-log"}

// syslogConn sends lines to the local syslog daemon in the format of RFC 3164. It reconnects after a restart of that
// daemon. It waits for at most a second to connect to a socket, or to send a line.
type syslogConn struct{ conn net.Conn }

// send sends a line to a facility. If syslog(3) has no facility of that name, it sends the line to the facility user.
func (c *syslogConn) send(facility, line string) error {
	number, ok := parser.SyslogFacility(facility)
	if !ok {
		number, _ = parser.SyslogFacility("user")
	}
	text := fmt.Sprintf("<%d>%s ldirectord[%d]: %s", number<<3|severityInfo, time.Now().Format(time.Stamp),
		os.Getpid(), line)
	for range 2 {
		if c.conn == nil {
			c.conn = dialSyslog()
		}
		if c.conn == nil {
			break
		}
		end := ""
		if c.conn.LocalAddr().Network() == "unix" { // a stream; a datagram is one line
			end = "\n"
		}
		_ = c.conn.SetWriteDeadline(time.Now().Add(syslogTimeout))
		if _, err := c.conn.Write([]byte(text + end)); err == nil {
			return nil
		}
		c.conn.Close()
		c.conn = nil
	}
	return errors.New("no syslog daemon accepts it")
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
