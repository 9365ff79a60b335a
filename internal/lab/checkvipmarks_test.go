package lab

import (
	"fmt"
	"net"
	"os"
	"strings"
	"testing"
	"time"
)

// markRule is another program's rule for packets of the director, in mangle OUTPUT of both families.
type markRule struct {
	what, rule, says string
	spares           func(mark int) bool // checks whose marks it doesn't change; nil: none
}

// Each run plays the first rule. With LONG_TESTS all are played.
var markRules = []markRule{
	{what: "restored", rule: "-j CONNMARK --restore-mark", says: "restores the marks of connections"},
	{what: "one bit", rule: "-j MARK --or-mark 1", says: "sets some bits of marks",
		spares: func(mark int) bool { return mark%2 == 1 }},
	{what: "set, and policy routing", rule: "-j MARK --set-mark 7", says: "sets marks"},
	{what: "taken off", rule: "-p tcp --dport 7000 -j MARK --set-mark 0", says: "takes marks off"},
}

// A rule changes the marks of the director's packets, so the packets of checks no longer get to their private
// services. Before that, one of three servers is out because it lacks the virtual address. It stays out, and the
// others stay in. Only clients are counted. The log and doctor name the kind of rule.
func TestKernelCheckVIPMarksChanged(t *testing.T) {
	l, path, servers := newCheckVIPLab(t)
	defer l.does(path, "stop")
	l.sh(`ip -n %[1]sdir rule add fwmark 7 lookup 100
		ip -n %[1]sdir route add 192.0.2.0/24 dev br0 table 100`, l.prefix)
	l.inRS1([]lane{dr4, dr6}, "ip -FAMILY addr del VIP/LENGTH dev DEVICE")
	out := func(limit time.Duration) {
		t.Helper()
		l.until(limit, "no "+servers[0], "no "+servers[3], servers[1], servers[2], servers[4], servers[5])
	}
	out(10 * time.Second)
	for i, r := range markRules {
		if i > 0 && os.Getenv("LONG_TESTS") == "" {
			break
		}
		if i > 0 {
			before := len(l.logText())
			l.does(path, "restart")
			for _, w := range []lane{dr4, dr6} {
				fails := "through %s: connect: no answer in 2s; at %s it answers"
				l.saysSince(before, 10*time.Second, fmt.Sprintf(fails, w.vip, w.real(1)))
			}
			out(10 * time.Second)
		}
		t.Run(r.what, func(t *testing.T) {
			l := l.with(t)
			before := len(l.logText())
			l.mangle("-A", r.rule)
			defer l.mangle("-D", r.rule)
			l.tellsOf(r, before)
			time.Sleep(3 * time.Second) // the kernel updates its statistics every 2 s
			counted, _ := l.connectionsOf("TCP  192.0.2.10:7000")
			time.Sleep(6 * time.Second)
			if now, stats := l.connectionsOf("TCP  192.0.2.10:7000"); now > counted {
				t.Errorf("checks are counted as clients: %d and then %d\n%s", counted, now, stats)
			}
			said := l.run(1, path, "doctor", "--json")
			if n := strings.Count(said, `"kind": "check-mark"`); n == 0 || !strings.Contains(said, r.says) {
				t.Errorf("doctor says\n%s", said)
			}
			out(time.Second)
			for _, change := range []string{"Check failed", "Deleted", "Added"} {
				if said := l.logText()[before:]; strings.Contains(said, change) {
					t.Errorf("servers went out or in:\n%s", said)
				}
			}
		})
	}
}

// tellsOf waits until the log has a rule for each server whose checks it changes.
func (l *lab) tellsOf(r markRule, before int) {
	l.t.Helper()
	mark := -1
	for _, w := range []lane{dr4, dr6} {
		for server := 1; server <= 3; server++ {
			if mark++; r.spares != nil && r.spares(mark) {
				continue
			}
			state := ""
			if server == 1 {
				state = " stays down"
			}
			real, virtual := net.JoinHostPort(w.real(server), "7000"), net.JoinHostPort(w.vip, "7000")
			l.saysSince(before, 10*time.Second, fmt.Sprintf("%s (tcp:%s)%s: not checked through %s: "+
				"packets with its mark don't come to its private service: a rule in chain OUTPUT "+
				"(iptables-legacy) %s: ", real, virtual, state, w.vip, r.says))
		}
	}
}

// mangle changes the rules for packets of the director, of both families.
func (l *lab) mangle(how, rule string) {
	for _, program := range []string{"iptables-legacy", "ip6tables-legacy"} {
		l.sh("ip netns exec %sdir %s -t mangle %s OUTPUT %s", l.prefix, program, how, rule)
	}
}
