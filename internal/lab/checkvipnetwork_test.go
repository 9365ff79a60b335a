package lab

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

// The director has the virtual address on another interface, as with announce. If rp_filter is strict on the servers'
// interface, all answers are dropped. That takes no server out, and the log reports it. With rp_filter=2 the checks
// work through the address again.
func TestKernelCheckVIPElsewhere(t *testing.T) {
	l, path, servers := newCheckVIPLab(t)
	defer l.does(path, "stop")
	filter := func(setting int, tells ...string) (said string) {
		before := len(l.logText())
		l.sh("ip netns exec %sdir sysctl -qw net.ipv4.conf.br0.rp_filter=%d", l.prefix, setting)
		time.Sleep(5 * time.Second)
		for _, text := range tells {
			l.saysSince(before, 5*time.Second, text)
		}
		l.until(time.Second, servers...)
		said = l.logText()[before:]
		if strings.Contains(said, "Check failed") || strings.Contains(said, "Deleted") {
			t.Errorf("rp_filter=%d takes servers out:\n%s", setting, said)
		}
		return said
	}
	const told = "it is not on br0, and rp_filter is strict there: the larger of net.ipv4.conf.br0.rp_filter and " +
		"net.ipv4.conf.all.rp_filter is 1"
	if said := filter(1); strings.Contains(said, "not checked") {
		t.Errorf("with the address on the servers' interface the log says that it isn't checked:\n%s", said)
	}
	l.sh(`ip netns exec %[1]sdir sysctl -qw net.ipv4.conf.br0.rp_filter=0
	ip -n %[1]sdir link add lvs0 type dummy
	ip -n %[1]sdir link set lvs0 up
		ip -n %[1]sdir addr add 192.0.2.10/32 dev lvs0
		ip -n %[1]sdir addr del 192.0.2.10/32 dev br0`, l.prefix)
	if said := filter(2); strings.Contains(said, "not checked") {
		t.Errorf("with rp_filter=2 the log says that it isn't checked:\n%s", said)
	}
	filter(1, told)
	filter(2)
	l.sh("ip -n %srs1 addr del 192.0.2.10/32 dev lo", l.prefix)
	l.until(5*time.Second, "no "+servers[0])
}

// The real servers use jumbo frames, and a network without them is on the way. An answer of 100 kB arrives through the
// virtual address, although the director has that address too and the kernel would offer the segments of lo.
func TestKernelCheckVIPJumbo(t *testing.T) {
	l := newTrafficLab(t)
	l.sh("ip netns exec %sdir sysctl -qw net.ipv4.conf.br0.accept_local=1", l.prefix)
	some := []lane{dr4, tun4, dr6, tun6}
	path := l.config("checkinterval = 1\nchecktimeout = 2\nnegotiatetimeout = 2\n" +
		sections(`VIRTUAL = ADDRESS:7000
REALS:7000
        service = http
        request = "large"
        receive = "the end"
        checkvip = yes
`, some...))
	l.realServerScript(path, "start", 1, 2, 3)
	for _, ns := range three {
		// As on a wire, no segment may be larger than the interface allows.
		l.sh(`ip -n %[1]s%[2]s link set br0 mtu 9000 gso_max_segs 1; ip -n %[1]s%[2]s link set tunl0 `+
			`gso_max_segs 1`, l.prefix, ns)
		l.large(ns)
	}
	l.does(path, "start")
	defer l.does(path, "stop")
	l.until(10*time.Second, l.inTable(some...)...)
	l.untilServers(4 * 3)
	time.Sleep(3 * time.Second)
	if said := l.logText(); strings.Contains(said, "Check failed") ||
		strings.Contains(said, "not checked through") {
		t.Errorf("large answers through the virtual address fail:\n%s", said)
	}
}

// large is a web server with a page of 100 kB.
func (l *lab) large(ns string) {
	l.t.Helper()
	s := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		io.WriteString(w, strings.Repeat("0123456789", 10_000)+"the end")
	})}
	go s.Serve(l.listen(ns, ":7000"))
	l.t.Cleanup(func() { s.Close() })
}

// The director's own address is on lo, as with routing to the host. A failure is judged by the interface of the route
// to the server, because the answers arrive there.
func TestKernelCheckVIPFromLo(t *testing.T) {
	l, path, servers := newCheckVIPLab(t)
	defer l.does(path, "stop")
	l.sh(`ip -n %[1]sdir addr add 192.0.2.99/32 dev lo
		ip -n %[1]sdir route replace 192.0.2.0/24 dev br0 proto kernel scope link src 192.0.2.99`, l.prefix)
	l.does(path, "restart")
	l.until(5*time.Second, servers...)
	time.Sleep(2 * time.Second)
	if !strings.Contains(l.ipvsadm("-Lnc"), "192.0.2.99:") {
		t.Error("no check comes from the address on lo")
	}
	l.sh("ip -n %srs1 addr del 192.0.2.10/32 dev lo", l.prefix)
	l.until(5*time.Second, "no "+servers[0])
	l.sh(`ip -n %[1]srs1 addr add 192.0.2.10/32 dev lo
		ip netns exec %[1]sdir sysctl -qw net.ipv4.conf.br0.accept_local=0
		ip netns exec %[1]sdir sysctl -qw net.ipv4.conf.lo.accept_local=1`, l.prefix)
	l.saysWithin(10*time.Second, "net.ipv4.conf.br0.accept_local is 0")
	l.until(time.Second, servers[1:]...)
}

// A reverse path filter in the firewall, like that of firewalld, drops packets from the director's own IPv6 address.
// No server goes out, and the command that doctor prints helps.
func TestKernelCheckVIPFilter6(t *testing.T) {
	l, path, servers := newCheckVIPLab(t)
	defer l.does(path, "stop")
	l.sh("ip netns exec %sdir ip6tables-legacy -t raw -A PREROUTING -i br0 -m rpfilter --invert -j DROP", l.prefix)
	const command = "ip6tables-legacy -t raw -I PREROUTING -s 2001:db8:1::10 -j ACCEPT"
	l.says(l.run(1, path, "doctor"), "broken: tcp:[2001:db8:1::10]:7000: all servers answer at their own "+
		"addresses and none at the virtual address 2001:db8:1::10: a reverse path filter",
		"to fix it: "+command)
	l.saysWithin(10*time.Second, "Brake holds: tcp:[2001:db8:1::10]:7000")
	l.until(time.Second, servers...)
	l.sh("ip netns exec %sdir %s", l.prefix, command)
	l.saysWithin(10*time.Second, "Brake is over: tcp:[2001:db8:1::10]:7000")
	l.does(path, "doctor")
}
