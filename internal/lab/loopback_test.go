package lab

import (
	"fmt"
	"net"
	"strings"
	"testing"
	"time"
)

// With masq the kernel drops packets from other machines to a real server at a loopback address, in both families,
// while its checks pass. The warning of check says so. With gate, the director's own service answers.
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
	said := l.does(path, "check")
	if !strings.Contains(said, "with masq clients of other machines do not reach") ||
		!strings.Contains(said, "and 1 more: line 10") {
		t.Errorf("check does not warn of both:\n%s", said)
	}
	l.does(path, "start")
	t.Cleanup(func() { l.does(path, "stop") })
	l.until(5*time.Second, "-r 127.0.0.1:80 -m -w 1", "-r [::1]:80 -m -w 1",
		"-r 127.0.0.1:8080 -g -w 1", "-r [::1]:8080 -g -w 1")
	for _, vip := range []string{nat4.vip, nat6.vip} {
		if got := l.askAt(net.JoinHostPort(vip, "80")); !strings.Contains(got, "timeout") {
			t.Errorf("with masq %s answers %q, want a timeout", vip, got)
		}
		if got := l.askAt(net.JoinHostPort(vip, "8080")); !strings.Contains(got, "dir") {
			t.Errorf("with gate %s answers %q, want dir", vip, got)
		}
	}
}
