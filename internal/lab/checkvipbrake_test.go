package lab

import (
	"strings"
	"testing"
	"time"

	"ldirectord/internal/testkit"
)

// The director's own firewall drops the answers of all servers from the virtual address. Every check fails only there,
// and no server goes out. When the firewall lets the answers in again, one server that has lost the address goes out,
// and no other.
func TestKernelCheckVIPBrake(t *testing.T) {
	l := newTrafficLab(t)
	l.sh("ip netns exec %sdir sysctl -qw net.ipv4.conf.br0.accept_local=1", l.prefix)
	path := l.config(quick + sections("VIRTUAL = ADDRESS:7000\nREALS:7000\n        checktype = connect\n"+
		"        checkvip = yes\n", dr4, tun4))
	l.realServerScript(path, "start", 1, 2, 3)
	for _, ns := range three {
		l.echo(ns, ":7000")
	}
	l.does(path, "start")
	l.untilServers(6, "-w 0")
	before := l.table()
	const answers = "INPUT -s 192.0.2.8/29 -p tcp --sport 7000 -j DROP"
	l.sh("ip netns exec %sdir iptables -I %s", l.prefix, answers)
	for _, w := range []lane{dr4, tun4} {
		l.saysWithin(10*time.Second, "Brake holds: tcp:"+w.vip+
			":7000: every server that was up fails, and only through "+w.vip)
	}
	time.Sleep(6 * time.Second) // two more checks of each server
	testkit.Equal(t, l.table(), before, "the table", l.logText())
	if got := l.does(path, "status", "-v"); strings.Count(got, "not believed") != 6 {
		t.Errorf("status says\n%s", got)
	}
	l.sh("ip -n %srs1 addr del 192.0.2.10/32 dev lo", l.prefix)
	l.sh("ip netns exec %sdir iptables -D %s", l.prefix, answers)
	for _, w := range []lane{dr4, tun4} {
		l.saysWithin(10*time.Second, "Brake is over: tcp:"+w.vip+":7000")
	}
	l.until(10*time.Second, "no -t 192.0.2.10:7000 -r 192.0.2.21:7000", "-t 192.0.2.10:7000 -r 192.0.2.22:7000",
		"-t 192.0.2.10:7000 -r 192.0.2.23:7000")
	l.does(path, "stop")
	if said := l.logText(); strings.Count(said, "Check failed") != 1 {
		t.Errorf("the log says\n%s", said)
	}
}
