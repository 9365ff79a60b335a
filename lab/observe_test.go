package lab

import (
	"net"
	"strings"
	"testing"
	"time"
)

const observeConfig = `checkinterval = 1
virtual = 198.51.100.10:7000
        real = 192.0.2.21:7000 masq
        real = 192.0.2.22:7000 masq
        real = 192.0.2.23:7000 masq
        scheduler = rr
        checktype = connect
        observe = yes
`

// A server that answers every check and no client is suspected, and no other, until packets come back. It stays in the
// table. One that resets its clients' connections is not: its resets are packets back.
func TestKernelLongObserve(t *testing.T) {
	onlyLong(t)
	l := newLab(t)
	for _, ns := range []string{"rs1", "rs2", "rs3"} {
		l.echo(ns, ":7000")
	}
	path := l.config(observeConfig)
	l.run(0, path, "start")
	l.until(5*time.Second, "-r 192.0.2.21:7000 -m -w 1", "-r 192.0.2.22:7000 -m -w 1", "-r 192.0.2.23:7000 -m -w 1")
	end := l.comeAndGo(natVIP + ":7000")
	defer end()
	time.Sleep(7 * time.Second)
	turns := 0
	for _, row := range []struct{ fault, ns, fail, heal string }{
		{"its way back to the clients is lost", "rs1", "ip route del default", "ip route add default via 192.0.2.1"},
		{"a filter drops what clients send", "rs2", "iptables -A INPUT -s 198.51.100.0/24 -j DROP", "iptables -F"},
		{"a filter drops what it answers clients", "rs3", "iptables -A OUTPUT -d 198.51.100.0/24 -j DROP", "iptables -F"},
		{"", "rs1", "iptables -A INPUT -p tcp -s 198.51.100.0/24 -j REJECT --reject-with tcp-reset", "iptables -F"},
	} {
		from, began := len(l.logText()), time.Now()
		l.sh("ip netns exec %s%s %s", l.prefix, row.ns, row.fail)
		if row.fault == "" {
			time.Sleep(7 * time.Second)
		} else {
			turns += 2
			l.saysSince(from, 15*time.Second, "Suspected: "+observedAt(row.ns)+" (tcp:198.51.100.10:7000): ")
			t.Logf("%s: suspected after %v", row.fault, time.Since(began).Round(100*time.Millisecond))
			l.says(unfold(l.run(0, path, "why", observedAt(row.ns))), " connections in ", ", 0 packets back; its checks pass",
				"it is in the table with weight 1")
		}
		l.sh("ip netns exec %s%s %s", l.prefix, row.ns, row.heal)
		if row.fault != "" {
			l.saysSince(from, 15*time.Second, "No longer suspected: "+observedAt(row.ns)+" (tcp:198.51.100.10:7000): packets come back")
		}
		time.Sleep(3 * time.Second)
		if said := l.logText(); strings.Count(said, "uspected: ") != turns {
			t.Errorf("%s: others are suspected:\n%s", row.fault, said)
		}
	}
	l.run(0, path, "stop")
}

// With observe = out that server gets weight 0, no other one does, and it comes back by holddown. It gives no client an
// answer: after two returns an order alone lets it in.
func TestKernelLongObserveOut(t *testing.T) {
	onlyLong(t)
	l := newLab(t)
	for _, ns := range []string{"rs1", "rs2", "rs3"} {
		l.echo(ns, ":7000")
	}
	leaves := "observe = out\n        keepserving = 1\n        holddown = 5,10"
	path := l.config(strings.Replace(observeConfig, "observe = yes", leaves, 1))
	l.run(0, path, "start")
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
	l.says(unfold(l.run(0, path, "why", observedAt("rs1"))),
		"held down until an order (set … ready): its clients got no answers, 3 times in a row")
	l.run(0, path, "set", observedAt("rs1"), "ready")
	l.until(5*time.Second, in, others)
	time.Sleep(8 * time.Second)
	l.until(time.Second, in, others, "-r 192.0.2.23:7000 -m -w 1")
	l.run(0, path, "stop")
}

// observedAt is where the server of a namespace listens.
func observedAt(ns string) string { return "192.0.2.2" + strings.TrimPrefix(ns, "rs") + ":7000" }

// comeAndGo has clients that connect, one after the other, and wait only shortly.
func (l *lab) comeAndGo(to string) (end func()) {
	over, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		l.enter("client", func() {
			for {
				select {
				case <-over:
					return
				default:
				}
				if conn, err := net.DialTimeout("tcp4", to, 50*time.Millisecond); err == nil {
					conn.Close()
				}
				time.Sleep(5 * time.Millisecond)
			}
		})
	}()
	return func() { close(over); <-ended }
}
