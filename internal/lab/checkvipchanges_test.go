package lab

import (
	"slices"
	"strings"
	"testing"
	"time"
)

// The private services are removed at every orderly end, and made again at the next start.
func TestKernelCheckVIPEnds(t *testing.T) {
	l, path, servers := newCheckVIPLab(t)
	for _, end := range [][]string{{"restart"}, {"stop", "--keep"}, {"stop"}} {
		l.privateAre(6)
		l.does(append([]string{path}, end...)...)
		if end[0] == "stop" {
			l.privateIs("")
			l.does(path, "start")
		}
		l.until(5*time.Second, servers...)
	}
	l.does(path, "standby")
	l.privateAre(6)
	l.does(path, "stop")
	l.privateIs("")
}

// A standby doesn't have the virtual address, so its checks pass without accept_local. After a promotion it has the
// address, and the kernel drops answers unless accept_local is set. No server goes out, and the log names the setting.
func TestKernelCheckVIPPromoted(t *testing.T) {
	l, path, servers := newCheckVIPLab(t)
	for _, accept := range []string{"0", "1"} {
		l.does(path, "standby")
		l.sh(`ip -n %[1]sdir addr del 192.0.2.10/32 dev br0; ip -n %[1]sdir route replace 192.0.2.10/32 dev br0
			ip netns exec %[1]sdir sysctl -qw net.ipv4.conf.br0.accept_local=%[2]s`, l.prefix, accept)
		time.Sleep(3 * time.Second)
		before := len(l.logText())
		l.does(path, "notify", "master")
		l.sh(`ip -n %[1]sdir route del 192.0.2.10/32 dev br0; ip -n %[1]sdir addr add 192.0.2.10/32 dev br0`,
			l.prefix)
		l.until(5*time.Second, servers...)
		time.Sleep(6 * time.Second)
		const missing = "net.ipv4.conf.br0.accept_local is 0"
		if accept == "0" {
			l.saysSince(before, 5*time.Second, missing)
		}
		l.until(time.Second, servers...)
		said := l.logText()[before:]
		if strings.Contains(said, "Check failed") || strings.Contains(said, "Deleted") {
			t.Errorf("accept_local=%s: promotion takes servers out:\n%s", accept, said)
		}
		if accept == "1" && strings.Contains(said, missing) {
			t.Errorf("accept_local is set, and the log says that it isn't:\n%s", said)
		}
	}

	t.Log("while nothing can be judged, a server that dies goes out by its own address")
	l.sh("ip netns exec %sdir sysctl -qw net.ipv4.conf.br0.accept_local=0", l.prefix)
	time.Sleep(3 * time.Second)
	l.sh("ip -n %srs1 link set br0 down", l.prefix)
	l.until(8*time.Second, "no "+servers[0])
	l.sh("ip -n %srs1 link set br0 up", l.prefix)
	l.until(8*time.Second, servers[0])
	l.does(path, "stop")
}

// newCheckVIPLab is the lab with a daemon. Its servers, of both families, are up through the virtual address.
func newCheckVIPLab(t *testing.T) (l *lab, path string, servers []string) {
	t.Helper()
	l = newTrafficLab(t)
	l.sh("ip netns exec %sdir sysctl -qw net.ipv4.conf.br0.accept_local=1", l.prefix)
	path = l.config("checkinterval = 1\nchecktimeout = 2\n" +
		sections("VIRTUAL = ADDRESS:7000\nREALS:7000\n        checktype = connect\n        checkvip = yes\n",
			dr4, dr6))
	l.realServerScript(path, "start", 1, 2, 3)
	for _, ns := range three {
		l.echo(ns, ":7000")
	}
	l.does(path, "start")
	servers = []string{"-r 192.0.2.21:7000 -g -w 1", "-r 192.0.2.22:7000 -g -w 1", "-r 192.0.2.23:7000 -g -w 1",
		"-r [2001:db8:1::21]:7000 -g -w 1", "-r [2001:db8:1::22]:7000 -g -w 1",
		"-r [2001:db8:1::23]:7000 -g -w 1"}
	l.until(5*time.Second, servers...)
	return l, path, servers
}

// Private services are changed by hand, as by a script that drains a server in all services. No server goes out, and
// the services are restored.
func TestKernelCheckVIPChangedByHand(t *testing.T) {
	l := newTrafficLab(t)
	l.sh("ip netns exec %sdir sysctl -qw net.ipv4.conf.br0.accept_local=1", l.prefix)
	some := []lane{dr4, tun4, dr6, tun6}
	path := l.config("checkinterval = 1\nchecktimeout = 2\n" +
		sections("VIRTUAL = ADDRESS:7000\nREALS:7000\n        checktype = connect\n        checkvip = yes\n",
			some...))
	l.realServerScript(path, "start", 1, 2, 3)
	for _, ns := range three {
		l.echo(ns, ":7000")
	}
	l.does(path, "start")
	defer l.does(path, "stop")
	l.untilServers(4 * 3)
	made := l.private()
	for _, change := range []string{"-w 0", "-m", "-x 1", "-w 5", "gone", "another"} {
		for line := range strings.Lines(l.private()) {
			words := strings.Fields(line) // -a -f MARK [-6] -r SERVER -g -w 1
			if words[0] != "-a" {
				continue
			}
			at := words[1 : slices.Index(words, "-r")+2]
			switch change {
			case "another":
				at[len(at)-1] = map[bool]string{true: "[2001:db8:1::22]:0",
					false: "192.0.2.22:0"}[slices.Contains(words, "-6")]
				l.sh("ip netns exec %sdir ipvsadm -a %s -g 2>/dev/null || true", l.prefix,
					strings.Join(at, " "))
			case "gone":
				l.ipvsadm(append([]string{"-d"}, at...)...)
			default:
				l.ipvsadm(append(append([]string{"-e"}, at...), strings.Fields(change)...)...)
			}
		}
		time.Sleep(4 * time.Second)
		l.untilServers(4 * 3)
		if change != "another" {
			l.privateIs(made)
		}
	}
	if said := l.logText(); strings.Contains(said, "Check failed") || strings.Contains(said, "Deleted") ||
		strings.Contains(said, "Brake") {
		t.Errorf("changed private services take servers out, or the brake holds:\n%s", said)
	}
}
