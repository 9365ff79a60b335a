package lab

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"ldirectord/internal/testkit"
)

// A thousand servers are checked through one virtual address. No server goes out after the first pass. How long that
// takes depends on the machine.
func TestKernelCheckVIPThousand(t *testing.T) {
	const servers = 1000
	l := newTrafficLab(t)
	l.sh(`ip netns exec %[1]sdir sysctl -qw net.ipv4.conf.br0.accept_local=1
		ip -n %[1]sdir route add 10.3.0.0/22 via 192.0.2.21; ip -n %[1]srs1 route add local 10.3.0.0/22 dev lo
		ip -n %[1]srs1 addr add 192.0.2.10/32 dev lo
		ip netns exec %[1]srs1 sysctl -qw net.ipv4.conf.all.arp_announce=2
		for d in all br0; do ip netns exec %[1]srs1 sysctl -qw net.ipv4.conf.$d.rp_filter=0; done`, l.prefix)
	l.echo("rs1", ":7000")
	config := "checkinterval = 10\nchecktimeout = 8\nvirtual = 192.0.2.10:7000\n        checktype = connect\n" +
		"        checkvip = yes\n"
	for i := range servers {
		config += fmt.Sprintf("        real = 10.3.%d.%d:7000 gate\n", (i+1)/256, (i+1)%256)
	}
	l.config(config)
	began := time.Now()
	l.does("start")
	defer l.does("stop")
	for strings.Count(l.table(), ":7000 -g -w 1") < servers {
		if time.Since(began)-l.idle.since(began) > 2*time.Minute {
			t.Fatalf("%d servers are up\n%s", strings.Count(l.table(), ":7000 -g -w 1"), l.logText())
		}
		time.Sleep(200 * time.Millisecond)
	}
	first, read := time.Since(began), time.Now()
	l.table()
	t.Logf("%d servers are up after %v; the table is read in %v", servers, first.Round(100*time.Millisecond),
		time.Since(read).Round(time.Millisecond))
	instead := strings.Count(l.logText(), "not checked through")
	for strings.Count(l.private(), "-a ") < servers {
		if time.Since(began)-l.idle.since(began) > 3*time.Minute {
			t.Fatalf("there are %d private services\n%s", strings.Count(l.private(), "-a "), l.logText())
		}
		time.Sleep(200 * time.Millisecond)
	}
	t.Logf("%d of them by their own addresses at first; all have a private service after %v", instead,
		time.Since(began).Round(100*time.Millisecond))
	before, busy := len(l.logText()), l.busy()
	time.Sleep(15 * time.Second)
	t.Logf("the daemon uses %.1f %% of a core", float64((l.busy()-busy).Milliseconds())/150)
	said := l.logText()[before:]
	if strings.Contains(said, "Check failed") || strings.Contains(said, "Deleted") {
		t.Errorf("servers go out:\n%s", said)
	}
	// On a busy machine a check may wait for the table too long. Then it is void, as it should be.
	t.Logf("%d checks were void, while the machine was away for %v", strings.Count(said, "not checked through"),
		l.idle.since(began))
	l.does("stop")
	l.privateIs("")
}

// busy is the processor time of the daemon.
func (l *lab) busy() time.Duration {
	l.t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", l.pid()))
	_, fields, _ := strings.Cut(string(text), ") ")
	var user, system int // in hundredths of a second, see proc_pid_stat(5)
	if err == nil {
		_, err = fmt.Sscan(strings.Join(strings.Fields(fields + " 0 0 0 0 0 0 0 0 0 0 0 0 0")[11:13], " "),
			&user, &system)
	}
	testkit.OK(l.t, err)
	return time.Duration(user+system) * 10 * time.Millisecond
}
