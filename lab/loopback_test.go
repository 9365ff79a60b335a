package lab

import (
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"
)

// The kernel stops what clients of other machines send to a real server at a loopback address by masq, in both
// families, while its checks pass: what the warning of check says. By gate the service of the director answers.
func TestKernelLoopbackByMasq(t *testing.T) {
	l := newTrafficLab(t)
	l.webOn("dir", "80", "8080")
	config := "checkinterval = 1\n"
	for _, w := range []struct{ virtual, real string }{
		{"virtual = " + nat4.vip, "real = 127.0.0.1"}, {"virtual6 = [" + nat6.vip + "]", "real6 = [::1]"},
	} {
		config += fmt.Sprintf("%[1]s:80\n        %[2]s:80 masq\n        service = http\n"+
			"%[1]s:8080\n        %[2]s:8080 gate\n        service = http\n", w.virtual, w.real)
	}
	path := l.config(config)
	said := l.run(0, path, "check")
	if strings.Count(said, "with masq clients of other machines do not reach") != 2 {
		t.Error(said)
	}
	l.run(0, path, "start")
	t.Cleanup(func() { l.run(0, path, "stop") })
	l.until(5*time.Second, "-r 127.0.0.1:80 -m -w 1", "-r [::1]:80 -m -w 1",
		"-r 127.0.0.1:8080 -g -w 1", "-r [::1]:8080 -g -w 1")
	for _, vip := range []string{nat4.vip, nat6.vip} {
		if got := l.askAt(net.JoinHostPort(vip, "80")); !strings.Contains(got, "timeout") {
			t.Errorf("by masq %s answers %q", vip, got)
		}
		if got := l.askAt(net.JoinHostPort(vip, "8080")); !strings.Contains(got, "dir") {
			t.Errorf("by gate %s answers %q", vip, got)
		}
	}
}

// askAt is what a client is answered within a second, or why it is not.
func (l *lab) askAt(addr string) string {
	var conn net.Conn
	var err error
	l.in("client", func() { conn, err = net.DialTimeout("tcp", addr, time.Second) })
	if err != nil {
		return err.Error()
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(time.Second))
	fmt.Fprintf(conn, "GET / HTTP/1.0\r\n\r\n")
	answer, _ := io.ReadAll(conn)
	return string(answer)
}
