package lab

import (
	"strings"
	"testing"
	"time"
)

// A reload drops a server whose check through the virtual address is waiting for an answer. Its private service is
// removed at once and not made again, and nothing else happens.
func TestKernelCheckVIPReload(t *testing.T) {
	l := newTrafficLab(t)
	l.sh("ip netns exec %sdir sysctl -qw net.ipv4.conf.br0.accept_local=1", l.prefix)
	config := "checkinterval = 1\nchecktimeout = 8\nnegotiatetimeout = 8\n" + sections(`VIRTUAL = ADDRESS:80
REALS:80
        service = http
        request = "check"
        receive = "OK"
        checkvip = yes
`, dr4, dr6)
	path := l.config(config)
	l.realServerScript(path, "start", 1, 2, 3)
	l.web("rs1")
	l.web("rs2")
	leaves := l.web("rs3")
	l.does(path, "start")
	defer l.does(path, "stop")
	stay := []string{"-r 192.0.2.21:80 -g -w 1", "-r 192.0.2.22:80 -g -w 1", "-r [2001:db8:1::21]:80 -g -w 1",
		"-r [2001:db8:1::22]:80 -g -w 1"}
	l.until(10*time.Second, append(stay, "-r 192.0.2.23:80 -g -w 1", "-r [2001:db8:1::23]:80 -g -w 1")...)
	leaves.set(silent)
	time.Sleep(2 * time.Second) // its checks are waiting now

	before := len(l.logText())
	var kept []string
	for line := range strings.Lines(config) {
		if !strings.Contains(line, "192.0.2.23") && !strings.Contains(line, "[2001:db8:1::23]") {
			kept = append(kept, line)
		}
	}
	l.config(strings.Join(kept, ""))
	l.does(path, "reload")
	took := l.until(3*time.Second, append(stay, "no -r 192.0.2.23:80", "no -r [2001:db8:1::23]:80")...)
	t.Logf("out of all services after %v", took.Round(10*time.Millisecond))
	for end := time.Now().Add(5 * time.Second); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		if made := l.private(); strings.Count(made, "-A ") != 4 || strings.Count(made, "-a ") != 4 {
			t.Fatalf("the private services are\n%s\n%s", made, l.logText())
		}
		if time.Until(end) < 3*time.Second {
			leaves.set(well)
		}
	}
	l.until(time.Second, stay...)
	if said := l.logText()[before:]; strings.Contains(said, "Check failed") ||
		strings.Contains(said, "not checked through") {
		t.Errorf("the reload makes checks fail:\n%s", said)
	}
}
