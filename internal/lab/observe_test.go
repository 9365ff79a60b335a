package lab

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

const observeConfig = `checkinterval = 1
checktimeout = 1
virtual = 198.51.100.10:7000
        real = 192.0.2.21:7000 masq
        real = 192.0.2.22:7000 masq
        real = 192.0.2.23:7000 masq
        scheduler = rr
        checktype = connect
        observe = yes
virtual = 7
        real = 192.0.2.21 masq
        real = 192.0.2.22 masq
        real = 192.0.2.23 masq
        scheduler = rr
        checkport = 7001
        checktype = connect
        observe = yes
`

// observeInterval is the time between two looks, and between two updates of the kernel's counters.
const observeInterval = 2 * time.Second

// What detects a fault: the clients' packets, or the checks.
const (
	byObserve = "observe"
	byChecks  = "its checks"
	byChance  = "its checks, at times" // out and in again
	byNothing = ""
)

// grayFault is a fault that clients of a server meet and checks may not meet. Its scripts run on the server. P is the
// prefix of the namespaces, IP the server's address.
type grayFault struct {
	fault, seen string
	fail, heal  string
	mode        string                        // the server's mode during the fault
	repeats     bool                          // what it resends counts as packets back, less and less often
	with        func(l *grayLab) (end func()) // additional clients during the fault
}

const fromClients, toClients = "-s 198.51.100.0/24", "-d 198.51.100.0/24"

var grayFaults = []grayFault{
	{fault: "its way back to the clients is lost", seen: byObserve,
		fail: "ip route del default", heal: "ip route add default via 192.0.2.1"},
	{fault: "it answers the director alone: a filter drops what clients send", seen: byObserve, repeats: true,
		fail: "iptables -A INPUT " + fromClients + " -j DROP", heal: "iptables -F"},
	{fault: "a filter drops what it answers clients", seen: byObserve,
		fail: "iptables -A OUTPUT " + toClients + " -j DROP", heal: "iptables -F"},
	{fault: "its answers go around the director, by another router", seen: byObserve,
		fail: "ip route add 198.51.100.0/24 via 192.0.2.100", heal: "ip route del 198.51.100.0/24"},
	{fault: "another machine has taken the address of its router by ARP, one of the director's that checks don't " +
		"use", seen: byObserve,
		fail: `other=$(ip netns exec ${P}client cat /sys/class/net/br0/address)
			ip neigh replace 192.0.2.254 lladdr $other dev br0 nud permanent
			ip route replace default via 192.0.2.254`,
		heal: "ip route replace default via 192.0.2.1; ip neigh del 192.0.2.254 dev br0"},
	// Without syncookies the last quarter of the queue is reserved for known peers.
	{fault: "its SYN queue is full, up to what it keeps for those it knows", seen: byObserve,
		fail: `sysctl -qw net.ipv4.tcp_syncookies=0 net.ipv4.tcp_max_syn_backlog=16 \
				net.ipv4.tcp_no_metrics_save=1
			ip netns exec ${P}client iptables -A OUTPUT -p tcp -d $IP --tcp-flags SYN,RST,ACK ACK -j DROP
			ip netns exec ${P}client timeout 5 bash -c '
				for i in $(seq 13); do exec {f}<>/dev/tcp/$IP/7000; done' || true
			ip tcp_metrics delete 198.51.100.100`,
		heal: `ip netns exec ${P}client iptables -F
			sysctl -qw net.ipv4.tcp_syncookies=1 net.ipv4.tcp_max_syn_backlog=128 \
				net.ipv4.tcp_no_metrics_save=0`},
	{fault: "its table of connections (conntrack) is full, without the director's", seen: byObserve,
		fail: "iptables -t raw -A PREROUTING -s 192.0.2.1 -j CT --notrack; iptables -t raw -A OUTPUT -d " +
			"192.0.2.1 -j CT --notrack\n" +
			conntrackFull,
		heal: conntrackRoom + "; iptables -t raw -F"},
	{fault: "its table of connections (conntrack) is full", seen: byChecks, fail: conntrackFull,
		heal: conntrackRoom},
	{fault: "its accept queue is full: it accepts nobody", seen: byChecks, mode: stuck},
	{fault: "another machine without the service has taken its address by ARP", seen: byChecks,
		fail: `ip -n ${P}client addr add $IP/32 dev br0
			other=$(ip netns exec ${P}client cat /sys/class/net/br0/address)
			ip -n ${P}dir neigh replace $IP lladdr $other dev br0 nud permanent`,
		heal: "ip -n ${P}client addr del $IP/32 dev br0; ip -n ${P}dir neigh del $IP dev br0"},
	{fault: "it accepts clients and never answers", mode: mute},
	{fault: "it resets connections after the handshake", seen: byChance, mode: resets},
	{fault: "a filter resets what clients send",
		fail: "iptables -A INPUT -p tcp " + fromClients + " -j REJECT --reject-with tcp-reset",
		heal: "iptables -F"},
	{fault: "large packets to clients are lost, as where the MTU is too small for data",
		fail: "iptables -A OUTPUT " + toClients + " -m length --length 1000:65535 -j DROP",
		heal: "iptables -F"},
	{fault: "half of its packets are lost",
		fail: "iptables -A OUTPUT " + toClients + " -m statistic --mode random --probability 0.5 -j DROP",
		heal: "iptables -F"},
	{fault: "a filter drops new connections; old ones are served",
		fail: "iptables -A INPUT -p tcp --syn " + fromClients + " -j DROP", heal: "iptables -F",
		with: (*grayLab).talk},
	{fault: "one port of a mark is dead", fail: "iptables -A INPUT -p tcp --dport 7002 -j DROP",
		heal: "iptables -F",
		with: (*grayLab).askMark},
	{fault: "the virtual address is gone from the director",
		fail: "ip -n ${P}dir addr del " + natVIP + "/32 dev br1", heal: "ip -n ${P}dir addr add " + natVIP +
			"/32 dev br1"},
}

// All servers of the lab are on one kernel, which has one limit for all their tables.
const (
	conntrackFull = "iptables -A INPUT -m conntrack --ctstate INVALID -j DROP; nsenter -t 1 -n sysctl -qw " +
		"net.netfilter.nf_conntrack_max=4"
	conntrackRoom = "nsenter -t 1 -n sysctl -qw net.netfilter.nf_conntrack_max=65536; iptables -F"
)

// A server that answers every check and no client is suspected until packets come back, and no other one is. It stays
// in the table. A server from which any packet comes back is not suspected.
func TestKernelLongObserve(t *testing.T) {
	onlyLong(t)
	l := newGrayLab(t)
	l.config(observeConfig)
	l.does("start")
	l.serve()
	end := l.comeAndGo(natVIP + ":7000")
	defer end()
	time.Sleep(7 * time.Second)
	turns := 0
	for i, row := range grayFaults {
		ns := l.names[i%len(l.names)]
		time.Sleep(rand.N(observeInterval)) // the row begins at a random time between two looks
		from, began := len(l.logText()), time.Now()
		healed := l.fails(row, ns)
		what := observedAt(ns) + " (tcp:198.51.100.10:7000): "
		switch row.seen {
		case byObserve:
			turns += 2
			limit := 15 * time.Second
			if row.repeats {
				limit *= 2
			}
			l.saysSince(from, limit, "Suspected: "+what)
			t.Logf("%s: suspected after %v", row.fault, time.Since(began).Round(100*time.Millisecond))
			l.says(unfold(l.does("why", observedAt(ns))), " connections in ",
				", 0 packets back; its checks pass",
				"it is in the table with weight 1")
		case byChecks:
			l.until(8*time.Second, "no -r "+observedAt(ns))
			t.Logf("%s: out by its checks after %v", row.fault,
				time.Since(began).Round(100*time.Millisecond))
		default:
			time.Sleep(9 * time.Second)
		}
		asked, failed := healed()
		if row.seen == byObserve {
			l.saysSince(from, 15*time.Second, "No longer suspected: "+what+"packets come back")
		}
		l.serve()
		time.Sleep(3 * time.Second)
		enough := int64(20)
		if row.seen == byChecks {
			enough = 1 // it is out soon
		}
		if t.Logf("%s: %d of %d requests failed", row.fault, failed, asked); failed < enough {
			t.Errorf("%s: only %d of %d requests failed: the row says nothing", row.fault, failed, asked)
		}
		said := l.logText()
		if strings.Count(said, "uspected: ") != turns {
			t.Fatalf("%s: not exactly the expected servers are suspected:\n%s", row.fault, said)
		}
		switch n, lines := l.changes(from); {
		case row.seen == byChance:
			t.Logf("%s: %d changes of the table", row.fault, n)
		case n > 0 && row.seen != byChecks:
			t.Errorf("%s: checks changed the table:\n%s", row.fault, lines)
		}
	}
	l.does("stop")
}

// With observe = out the suspected server gets weight 0, and no other one does. It comes back by holddown. While its
// clients get no answers, it needs an order after two returns.
func TestKernelLongObserveOut(t *testing.T) {
	onlyLong(t)
	l := newGrayLab(t)
	leaves := "observe = out\n        keepserving = 1\n        holddown = 5,10"
	l.config(strings.Replace(observeConfig, "observe = yes", leaves, 1))
	l.does("start")
	in, out, others := "-r 192.0.2.21:7000 -m -w 1", "-r 192.0.2.21:7000 -m -w 0", "-r 192.0.2.22:7000 -m -w 1"
	l.until(5*time.Second, in, others, "-r 192.0.2.23:7000 -m -w 1")
	end := l.comeAndGo(natVIP + ":7000")
	defer end()
	time.Sleep(7 * time.Second)
	l.sh("ip netns exec %srs1 ip route del default", l.prefix)
	for range 2 {
		began := time.Now()
		l.until(25*time.Second, out, others, "-r 192.0.2.23:7000 -m -w 1")
		t.Logf("weight 0 after %v", time.Since(began).Round(100*time.Millisecond))
		began = time.Now()
		l.until(15*time.Second, in, others, "-r 192.0.2.23:7000 -m -w 1")
		t.Logf("back after %v", time.Since(began).Round(100*time.Millisecond))
	}
	l.until(25*time.Second, out, others)
	l.sh("ip netns exec %srs1 ip route add default via 192.0.2.1", l.prefix)
	time.Sleep(12 * time.Second)
	l.until(time.Second, out, others)
	l.says(unfold(l.does("why", observedAt("rs1"))),
		"held down until an order (set … ready): its clients got no answers, 3 times in a row")
	l.does("set", observedAt("rs1"), "ready")
	l.until(5*time.Second, in, others)
	time.Sleep(8 * time.Second)
	l.until(time.Second, in, others, "-r 192.0.2.23:7000 -m -w 1")
	l.does("stop")
}

// observedAt is the address at which the server of a namespace listens.
func observedAt(ns string) string { return "192.0.2.2" + strings.TrimPrefix(ns, "rs") + ":7000" }

// serve waits until all servers are in the table.
func (l *grayLab) serve() {
	l.t.Helper()
	for _, ns := range l.names {
		l.until(10*time.Second, fmt.Sprintf("-r %s -m -w 1", observedAt(ns)))
	}
}
