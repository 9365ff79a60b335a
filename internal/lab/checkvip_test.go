package lab

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"ldirectord/internal/testkit"
)

// Servers of both families are checked through the virtual address. One listens only there. The private services are
// restored when they are lost, adopted by the next daemon after a kill, and removed at an orderly end.
func TestKernelCheckVIP(t *testing.T) {
	l := newTrafficLab(t)
	l.sh("ip netns exec %sdir sysctl -qw net.ipv4.conf.br0.accept_local=1", l.prefix)
	path := l.config("checkinterval = 1\nchecktimeout = 2\n" +
		sections("VIRTUAL = ADDRESS:7000\nREALS:7000\n        checktype = connect\n        checkvip = yes\n",
			dr4, dr6))
	l.realServerScript(path, "start", 1, 2, 3)
	l.echo("rs1", ":7000")
	l.echo("rs2", ":7000")
	l.echo("rs3", dr4.vip+":7000")
	l.echo("rs3", "["+dr6.vip+"]:7000")
	l.does(path, "start")
	servers := []string{"-r 192.0.2.21:7000 -g -w 1", "-r 192.0.2.22:7000 -g -w 1", "-r 192.0.2.23:7000 -g -w 1",
		"-r [2001:db8:1::21]:7000 -g -w 1", "-r [2001:db8:1::22]:7000 -g -w 1",
		"-r [2001:db8:1::23]:7000 -g -w 1"}
	l.until(5*time.Second, servers...)
	made := l.privateAre(6)

	for _, lost := range []struct{ server, address, del, add string }{
		{"192.0.2.21", dr4.vip, "192.0.2.10/32 dev lo", "192.0.2.10/32 dev lo"},
		{"2001:db8:1::21", dr6.vip, "2001:db8:1::10/128 dev lo",
			"2001:db8:1::10/128 dev lo nodad preferred_lft 0"},
	} {
		l.sh("ip -n %srs1 addr del %s", l.prefix, lost.del)
		l.until(5*time.Second, "no "+line(servers, lost.server))
		l.saysWithin(time.Second, "through "+lost.address+": connect: ")
		l.saysWithin(time.Second, fmt.Sprintf("; at %s it answers: is %s on it? ldirectord '%s' "+
			"realserver-script %[1]s", lost.server, lost.address, path))
		l.sh("ip -n %srs1 addr add %s", l.prefix, lost.add)
		l.until(5*time.Second, servers...)
	}

	before := len(l.logText())
	l.ipvsadm("-C")
	l.until(5*time.Second, servers...)
	l.privateIs(made)
	if said := l.logText()[before:]; strings.Contains(said, "Check failed") || strings.Contains(said, "Deleted") {
		t.Errorf("a flushed table takes servers out:\n%s", said)
	}

	l.kill()
	testkit.Equal(t, l.private(), made, "after a kill the private services")
	l.does(path, "start")
	l.until(5*time.Second, servers...)
	l.privateIs(made)
	l.does(path, "stop")
	l.privateIs("")
}

// line is the line of a server.
func line(lines []string, server string) string {
	for _, l := range lines {
		if strings.Contains(l, server) {
			return l
		}
	}
	return ""
}

// private are the private services of the director, in the form of ipvsadm -Sn.
func (l *lab) private() (text string) {
	for _, line := range strings.Split(l.ipvsadm("-Sn"), "\n") {
		if strings.Contains(line, "-f 127") || strings.Contains(line, "-f 128") {
			text += line + "\n"
		}
	}
	return text
}

func (l *lab) privateIs(want string) {
	l.t.Helper()
	for begin := time.Now(); l.private() != want; time.Sleep(20 * time.Millisecond) {
		if time.Since(begin)-l.idle.since(begin) > 5*time.Second {
			l.t.Fatalf("the private services are\n%swant\n%s\n%s", l.private(), want, l.logText())
		}
	}
}

// privateAre waits for n private services with one server each, and returns them. A daemon makes them with its first
// checks, and start does not wait for all of those.
func (l *lab) privateAre(n int) (made string) {
	l.t.Helper()
	for begin := time.Now(); ; time.Sleep(20 * time.Millisecond) {
		made = l.private()
		if strings.Count(made, "-A ") == n && strings.Count(made, "-a ") == n {
			return made
		}
		if time.Since(begin)-l.idle.since(begin) > 5*time.Second {
			l.t.Fatalf("want %d private services:\n%s\n%s", n, made, l.logText())
		}
	}
}
