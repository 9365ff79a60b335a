package lab

import (
	"strings"
	"testing"
	"time"
)

// A director that does not forward, or whose card towards the servers is down, leaves its addresses to others, and has
// them back when that is over. Its checks find nothing: checktype = on.
func TestKernelWithdrawOn(t *testing.T) {
	const address = "192.0.2.31/32"
	l := newLab(t)
	l.sh("for d in lvs0 lvs1; do ip -n %[1]sdir link add $d type dummy; ip -n %[1]sdir link set $d up; done",
		l.prefix)
	path := l.config("checkinterval = 1\nwithdrawwait = 1\nannounce = lvs0\nlastresort = lvs1\n" +
		"withdrawon = broken\nlisten = 127.0.0.1:9797\n" +
		"virtual = 192.0.2.31:7000\n        real = 192.0.2.21:7000 masq\n        checktype = on\n")
	l.run(exitOK, path, "start")
	l.onDevice("lvs0", address)
	ports := "for p in client rs1 rs2 rs3; do ip -n %[1]sdir link set p-$p-br0 %[2]s; done"
	for _, row := range []struct{ breaks, ends, says string }{
		{"ip netns exec %[1]sdir sysctl -qw net.ipv4.ip_forward=0",
			"ip netns exec %[1]sdir sysctl -qw net.ipv4.ip_forward=1",
			"this machine: answers of masq servers do not get back to clients"},
		{"ip -n %[1]sdir link set br0 down", "ip -n %[1]sdir link set br0 up",
			"the network interface br0, which leads to servers, is not up"},
		{strings.ReplaceAll(ports, "%[2]s", "down"), strings.ReplaceAll(ports, "%[2]s", "up"),
			"the network interface br0, which leads to servers, has no link"},
	} {
		from := len(l.logText())
		l.sh(row.breaks, l.prefix)
		l.onDevice("lvs0")
		l.onDevice("lvs1", address)
		if out := strings.Join(strings.Fields(l.run(exitOK, path, "status", "-v")), " "); !strings.Contains(out,
			row.says) {
			t.Errorf("status -v does not have %q:\n%s", row.says, out)
		}
		l.sh(row.ends, l.prefix)
		l.onDevice("lvs1")
		l.onDevice("lvs0", address)
		for _, text := range []string{"Trouble of this machine: ", "the last resort: ",
			"Trouble of this machine is over: ", "Announced 192.0.2.31 on lvs0\n"} {
			l.saysSince(from, 5*time.Second, text)
		}
	}
}
