package lab

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"ldirectord/internal/testkit"
)

// start may run for several files and their later versions, in any order. stop undoes exactly what start changed on
// the real server.
func TestKernelRealServerScriptUndoesOnlyWhatItDid(t *testing.T) {
	l := newNetwork(t, 1)
	l.sh("ip -n %srs1 addr add 192.0.2.12/32 dev lo", l.prefix)  // set by the operator
	l.sh("ip -n %srs1 addr add 192.0.2.31/24 dev br0", l.prefix) // the machine is two real servers
	was := l.realServerState()
	if strings.Contains(was, "arp_ignore:1") {
		t.Fatalf("arp_ignore is set before any start:\n%s", was)
	}

	one := []string{"192.0.2.10", "192.0.2.12"}
	l.runScript(0, "one.cf", one, "start")
	l.has("192.0.2.10", "192.0.2.12", "arp_ignore:1", "arp_announce:2")
	l.runScript(0, "one.cf", []string{"192.0.2.11", "192.0.2.12"}, "start") // a later version of the file
	l.has("192.0.2.11", "192.0.2.12", "no 192.0.2.10")
	l.runScript(3, "one.cf", one, "status")

	l.runScript(0, "two.cf", []string{"192.0.2.13"}, "start")
	l.runScript(0, "one.cf", one, "stop")
	l.has("192.0.2.12", "192.0.2.13", "no 192.0.2.11", "arp_ignore:1", "arp_announce:2") // two.cf needs them
	l.runScript(0, "two.cf", nil, "stop")
	l.runScript(0, "two.cf", nil, "stop")
	if now := l.realServerState(); now != was {
		t.Errorf("after stop:\n%s\nbefore start:\n%s", now, was)
	}

	l.sh("ip -n %srs1 addr add 192.0.2.10/32 dev br0", l.prefix) // as on a director
	was = l.realServerState()
	testkit.Contains(t, l.runScript(1, "one.cf", []string{"192.0.2.10", "192.0.2.11"}, "start"),
		"192.0.2.10 is on br0, where it answers ARP", "a start beside an address that answers ARP")
	if now := l.realServerState(); now != was {
		t.Errorf("the refused start changed\n%s\nto\n%s", was, now)
	}
}

// runScript runs the script of a file with these virtual addresses in rs1, and checks its exit status.
func (l *lab) runScript(want int, name string, addresses []string, word string) string {
	l.t.Helper()
	text := ""
	for _, a := range append(addresses, "192.0.2.99") { // the real server of this address is another machine
		server := "192.0.2.21:80 gate\n        real = 192.0.2.31"
		if a == "192.0.2.99" {
			server = "192.0.2.98"
		}
		text += fmt.Sprintf("virtual = %s:80\n        real = %s:80 gate\n        checktype = on\n", a, server)
	}
	path := filepath.Join(l.dir, name)
	testkit.Write(l.t, path, text)
	script := testkit.Must(exec.Command(program(l.t), path, "realserver-script").Output())(l.t, "realserver-script")
	cmd := exec.Command("ip", "netns", "exec", l.prefix+"rs1", "env", "RUNDIR="+l.dir, "sh", "-s", word)
	cmd.Stdin = strings.NewReader(string(script))
	out, _ := cmd.CombinedOutput()
	testkit.Equal(l.t, cmd.ProcessState.ExitCode(), want, name, word, "exit status", out)
	return string(out)
}

// realServerState is the part of rs1's state that the script may change.
func (l *lab) realServerState() string {
	l.t.Helper()
	out, err := exec.Command("ip", "netns", "exec", l.prefix+"rs1", "sh", "-ec",
		"ip -4 -o addr | sed 's/ *valid_lft.*//'; cd /proc/sys/net/ipv4/conf/all && grep . arp_ignore "+
			"arp_announce").CombinedOutput()
	if err != nil {
		l.t.Fatalf("%v: %s", err, out)
	}
	return string(out)
}

// has checks that rs1 has these settings, and not those after "no ".
func (l *lab) has(want ...string) {
	l.t.Helper()
	state := l.realServerState()
	testkit.Equal(l.t, unlike(state, want), "", "rs1 does not", state)
}
