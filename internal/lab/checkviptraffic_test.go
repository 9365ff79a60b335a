package lab

import (
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"ldirectord/internal/testkit"
)

// How a live service chooses a server. Each way has a port.
var choices = map[string]string{
	"7001": "scheduler = rr",
	"7002": "scheduler = wrr",
	"7003": "scheduler = sh",
	"7004": "scheduler = mh",
	"7005": "scheduler = rr\n        persistent = 60",
}

// Checks through the virtual address don't count as traffic of the live services: the kernel counts the clients'
// connections alone. No request fails.
func TestKernelCheckVIPCountsNothing(t *testing.T) {
	l := newTrafficLab(t)
	l.sh("ip netns exec %sdir sysctl -qw net.ipv4.conf.br0.accept_local=1", l.prefix)
	var config string
	for port, how := range choices {
		config += sections("VIRTUAL = ADDRESS:"+port+"\nREALS:"+port+
			"\n        checktype = connect\n        checkvip = yes\n        "+how+"\n", dr4, tun6)
	}
	path := l.config("checkinterval = 0.25\nchecktimeout = 2\n" + config)
	l.realServerScript(path, "start", 1, 2, 3)
	for port := range choices {
		for _, ns := range three {
			l.echo(ns, ":"+port)
		}
	}
	l.does("start")
	defer l.does("stop")
	testkit.Until(t, 15*time.Second, func() bool { return strings.Count(l.table(), " -w 1") >= 3*2*len(choices) },
		l.table)

	const requests = 40
	failed := map[string]int{}
	for n := range requests {
		for port := range choices {
			for _, w := range []lane{dr4, tun6} {
				if err := l.echoed(w.client(1000+n), net.JoinHostPort(w.vip, port)); err != nil {
					failed[w.vip+" "+port+": "+err.Error()]++
				}
			}
		}
	}
	if len(failed) > 0 {
		t.Errorf("failed requests: %v", failed)
	}
	time.Sleep(3 * time.Second) // the kernel updates its statistics every 2 s
	for port := range choices {
		for _, w := range []lane{dr4, tun6} {
			service := fmt.Sprintf("TCP  %s", net.JoinHostPort(w.vip, port))
			counted, stats := l.connectionsOf(service)
			for begin := time.Now(); counted < requests &&
				time.Since(begin)-l.idle.since(
					begin) < 5*time.Second; time.Sleep(100 * time.Millisecond) {
				counted, stats = l.connectionsOf(service)
			}
			testkit.Equal(t, counted, requests, "connections counted", service, choices[port], stats)
		}
	}
}

// connectionsOf is how many connections a service had, and all that ipvsadm shows.
func (l *lab) connectionsOf(service string) (n int, stats string) {
	l.t.Helper()
	stats = l.ipvsadm("-Ln", "--stats", "--exact")
	for line := range strings.Lines(stats) {
		if rest, ours := strings.CutPrefix(line, service+" "); ours {
			fmt.Sscan(rest, &n)
		}
	}
	return n, stats
}

// echoed makes a client's request to an echo server, and returns what is wrong with the answer.
func (l *lab) echoed(client netip.Addr, to string) (err error) {
	l.in("client", func() {
		d := net.Dialer{Timeout: 5 * time.Second,
			LocalAddr: net.TCPAddrFromAddrPort(netip.AddrPortFrom(client, 0))}
		var c net.Conn
		if c, err = d.Dial("tcp", to); err != nil {
			return
		}
		defer c.Close()
		c.SetDeadline(time.Now().Add(5 * time.Second))
		if _, err = c.Write([]byte("?")); err == nil {
			_, err = io.ReadFull(c, make([]byte, 1))
		}
	})
	return err
}
