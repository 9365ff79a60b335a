package lab

import (
	"io"
	"net"
	"os/exec"
	"time"
)

// dialThrough opens a connection through the virtual address that goes to a certain server.
func (l *lab) dialThrough(server string) net.Conn {
	l.t.Helper()
	for range 4 {
		c := madeIn(l, "client", func() (net.Conn,
			error) {
			return net.DialTimeout("tcp4", natVIP+":7000", 2*time.Second)
		})
		if talks(c) && l.carries(server) {
			return c
		}
		c.Close()
	}
	l.t.Fatalf("no connection went to %s", server)
	return nil
}

// carries reports whether a server has an established connection.
func (l *lab) carries(server string) bool {
	out, err := exec.Command("ip", "netns", "exec", l.prefix+"dir", "sh", "-c",
		"ipvsadm -Lnc | grep ESTABLISHED | grep -q "+server).CombinedOutput()
	return err == nil && len(out) == 0
}

func talks(c net.Conn) bool {
	c.SetDeadline(time.Now().Add(3 * time.Second))
	if _, err := c.Write([]byte("x")); err != nil {
		return false
	}
	_, err := io.ReadFull(c, make([]byte, 1))
	return err == nil
}
