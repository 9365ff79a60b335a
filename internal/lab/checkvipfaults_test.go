package lab

import (
	"fmt"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"
)

// vipFault is a fault between clients and a real server that answers at its own address.
type vipFault struct {
	what       string
	lanes      []lane
	spoil, fix string // run in the real server; inServer replaces VIP, DEVICE, FAMILY, TABLES and LENGTH
	says       string // the reason that the check gives
}

var vipFaults = []vipFault{
	{"the virtual address is not on it", []lane{dr4, tun4, dr6, tun6},
		"ip -FAMILY addr del VIP/LENGTH dev DEVICE", "ip -FAMILY addr add VIP/LENGTH dev DEVICE NODAD",
		"connect: "},
	{"its firewall drops what is sent to the virtual address", []lane{dr4, tun4, dr6, tun6},
		"TABLES -A INPUT -d VIP -p tcp --dport 7000 -j DROP",
		"TABLES -D INPUT -d VIP -p tcp --dport 7000 -j DROP", "connect: no answer in 1s"},
	{"its answers from the virtual address go nowhere", []lane{dr4, tun4, dr6, tun6},
		"ip -FAMILY rule add from VIP pref 5 blackhole", "ip -FAMILY rule del from VIP pref 5 blackhole",
		"connect: no answer in 1s"},
	{"its tunnel is down", []lane{tun4, tun6},
		"ip link set DEVICE down", "ip link set DEVICE up; ip -FAMILY addr replace VIP/LENGTH dev DEVICE NODAD",
		"connect: "},
	{"strict rp_filter on its tunnel", []lane{tun4},
		"sysctl -qw net.ipv4.conf.tunl0.rp_filter=1", "sysctl -qw net.ipv4.conf.tunl0.rp_filter=2",
		"connect: no answer in 1s"},
}

// inServer is a command of a fault, for a lane.
func (w lane) inServer(command string) string {
	family, length, tables, device, nodad := "4", "32", "iptables-legacy", "lo", ""
	if w.forward == "ipip" {
		device = "tunl0"
	}
	if w.family == "IPv6" {
		family, length, tables, nodad = "6", "128", "ip6tables-legacy", "nodad preferred_lft 0"
		if w.forward == "ipip" {
			device = "ip6tnl0"
		}
	}
	return strings.NewReplacer("VIP", w.vip, "DEVICE", device, "FAMILY", family, "TABLES", tables, "LENGTH", length,
		"NODAD", nodad).Replace(command)
}

// Clients meet each of these faults, and a check of the server's own address does not. With checkvip the server is out
// within interval and timeout, the log says that its own address answers, and it is back when the fault is fixed.
func TestKernelCheckVIPFindsFaults(t *testing.T) {
	l := newTrafficLab(t)
	l.sh("ip netns exec %sdir sysctl -qw net.ipv4.conf.br0.accept_local=1", l.prefix)
	path := l.config("checkinterval = 1\nchecktimeout = 1\n" +
		sections("VIRTUAL = ADDRESS:7000\nREALS:7000\n        checktype = connect\n        checkvip = yes\n",
			dr4, tun4, dr6, tun6))
	l.realServerScript(path, "start", 1, 2, 3)
	all := l.echoing("rs1", ":7000")
	l.echo("rs2", ":7000")
	l.echo("rs3", ":7000")
	l.does(path, "start")
	defer l.does(path, "stop")
	every := []lane{dr4, tun4, dr6, tun6}
	l.until(10*time.Second, l.inTable(every...)...)

	for _, f := range vipFaults {
		t.Run(f.what, func(t *testing.T) {
			l := l.with(t)
			before := len(l.logText())
			l.inRS1(f.lanes, f.spoil)
			l.outOf(f.lanes, f.says, before)
			l.inRS1(f.lanes, f.fix)
			l.until(10*time.Second, l.inTable(f.lanes...)...)
		})
	}
	t.Run("its service is bound to its own address", func(t *testing.T) {
		l := l.with(t)
		before := len(l.logText())
		l.signal(syscall.SIGSTOP) // no check runs while the port has no listener
		all.Close()
		own := []net.Listener{l.echoing("rs1", "192.0.2.21:7000"), l.echoing("rs1", "[2001:db8:1::21]:7000")}
		l.signal(syscall.SIGCONT)
		l.outOf(every, "connect: refused", before)
		for _, o := range own {
			o.Close()
		}
		l.echoing("rs1", ":7000")
		l.until(5*time.Second, l.inTable(every...)...)
	})
}

// inRS1 runs a command of a fault in rs1, for each lane.
func (l *lab) inRS1(lanes []lane, command string) {
	l.t.Helper()
	for _, w := range lanes {
		l.sh("ip netns exec %srs1 sh -ec '%s'", l.prefix, w.inServer(command))
	}
}

// outOf waits until rs1 is out of some lanes, within interval, timeout and the time that the lab's kernel needs. It
// checks the reasons in the log.
func (l *lab) outOf(lanes []lane, says string, before int) {
	l.t.Helper()
	var out []string
	for _, line := range l.inTable(lanes...) {
		out = append(out, "no "+line)
	}
	took := l.until(3*time.Second, out...)
	l.t.Logf("out after %v", took.Round(10*time.Millisecond))
	for _, w := range lanes {
		for _, text := range []string{fmt.Sprintf("through %s: %s", w.vip, says),
			fmt.Sprintf("; at %s it answers: is %s on it?", w.real(1), w.vip)} {
			l.saysSince(before, time.Second, text) // the log may be written after the table
		}
	}
}

// inTable are the lines of rs1 in the table.
func (l *lab) inTable(lanes ...lane) (lines []string) {
	for _, w := range lanes {
		how := map[string]string{"gate": "-g", "ipip": "-i"}[w.forward]
		lines = append(lines, fmt.Sprintf("%s -r %s %s -w 1", net.JoinHostPort(w.vip, "7000"),
			net.JoinHostPort(w.real(1), "7000"), how))
	}
	return lines
}
