package lab

import (
	"strings"
	"syscall"
	"testing"
	"time"

	"ldirectord/internal/testkit"
)

// probe shows the answers of a server at the virtual address and at its own, and leaves nothing in the table.
func TestKernelProbeShowsBothWays(t *testing.T) {
	l := newLabOf(t, 2)
	l.sh("ip netns exec %[1]sdir sysctl -qw net.ipv4.conf.br0.accept_local=1; ip -n %[1]srs2 addr del "+
		"192.0.2.10/32 dev lo", l.prefix)
	l.listen("rs1", ":80")
	l.listen("rs2", ":80")
	path := l.config("checktimeout = 2\n" + throughVIP)
	lines := strings.Split(l.output(path, "probe", "192.0.2.10:80"), "\n")
	for i, want := range []string{
		"192.0.2.21:80 connect up", "192.0.2.21:80 connect, own address up", "192.0.2.22:80 connect down",
		"192.0.2.22:80 connect, own address up",
	} {
		if i+2 > len(lines) || !strings.HasPrefix(strings.Join(strings.Fields(lines[i+1])[1:], " "), want) {
			t.Errorf("line %d is not %s:\n%s", i+1, want, strings.Join(lines, "\n"))
		}
	}
	testkit.Contains(t, lines[3], "at 192.0.2.22 it answers", "the reason is missing")
	l.privateIs("")
	probing := l.command(path, "probe")
	testkit.OK(t, probing.Start())
	for began := time.Now(); l.private() == "" && time.Since(began) < time.Minute; {
		time.Sleep(time.Millisecond)
	}
	probing.Process.Signal(syscall.SIGINT)
	_ = probing.Wait()
	l.privateIs("")

	// The address is on two interfaces, and the kernel uses the wrong one for answers.
	l.sh(`ip -n %[1]sdir addr del 192.0.2.10/32 dev br0
	ip -n %[1]sdir addr add 192.0.2.10/32 dev lo
	ip -n %[1]sdir addr add 192.0.2.10/32 dev br0
		ip netns exec %[1]sdir sysctl -qw net.ipv4.conf.br0.rp_filter=1`, l.prefix)
	if said := l.output(path, "probe", "192.0.2.10:80", "192.0.2.21:80"); !strings.Contains(said,
		"not checked through 192.0.2.10") || strings.Contains(said, "down") {
		t.Errorf("with a filter probe says\n%s", said)
	}
	l.sh("ip netns exec %[1]sdir sysctl -qw net.ipv4.conf.br0.rp_filter=2", l.prefix)

	l.does(path, "start")
	for end := time.Now().Add(10 * time.Second); l.private() == "" && time.Now().Before(end); {
		time.Sleep(20 * time.Millisecond)
	}
	if said := l.output(path, "doctor"); l.private() == "" || strings.Contains(said, "are left") ||
		!strings.Contains(said, "192.0.2.22 answers at its own address and not at the virtual address") {
		t.Errorf("beside the daemon's own services %q doctor says\n%s", l.private(), said)
	}
	l.does(path, "stop")
	l.privateIs("")
}
