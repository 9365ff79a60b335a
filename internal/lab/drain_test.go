package lab

import (
	"io"
	"net"
	"os/exec"
	"testing"
	"time"

	"ldirectord/internal/testkit"
)

// A drained server gets no new connections and keeps its existing one. When that ends, drain --wait and wait return.
func TestKernelDrainWaitsForConnections(t *testing.T) {
	l := newLab(t)
	for _, ns := range []string{"rs1", "rs2"} {
		l.echo(ns, ":7000")
	}
	path := l.config(`checkinterval = 1
quiescent = no
virtual = 198.51.100.10:7000
        real = 192.0.2.21:7000 masq
        real = 192.0.2.22:7000 masq
        scheduler = rr
        checktype = connect
`)
	l.does(path, "start")
	l.until(time.Second, "-r 192.0.2.21:7000 -m -w 1", "-r 192.0.2.22:7000 -m -w 1")
	held := l.dialThrough("192.0.2.21:7000")
	defer held.Close()

	drain := l.command(path, "drain", "192.0.2.21", "--wait")
	testkit.OK(t, drain.Start())
	ended := make(chan error, 1)
	go func() { ended <- drain.Wait() }()
	l.until(5*time.Second, "-r 192.0.2.21:7000 -m -w 0", "-r 192.0.2.22:7000 -m -w 1")
	select {
	case err := <-ended:
		t.Fatalf("drain --wait returned (%v) while a connection was open", err)
	case <-time.After(2 * time.Second):
	}
	if !talks(held) {
		t.Error("the open connection was cut")
	}
	l.run(4, path, "wait", "192.0.2.21", "out", "--timeout", "300ms")
	held.Close()
	select {
	case err := <-ended:
		if err != nil {
			t.Errorf("drain --wait: %v", err)
		}
	case <-time.After(20 * time.Second):
		t.Error("drain --wait does not return though the connection has ended")
	}
	l.does(path, "wait", "192.0.2.21", "out")
	l.run(1, path, "drain", "192.0.2.22") // refused: it is the last server
	l.does(path, "restart")
	l.until(time.Second, "-r 192.0.2.21:7000 -m -w 0")
	l.does(path, "undrain", "192.0.2.21")
	l.does(path, "wait", "192.0.2.21", "up")
	l.until(5*time.Second, "-r 192.0.2.21:7000 -m -w 1")
	l.does(path, "stop")
}

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
