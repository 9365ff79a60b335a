package lab

import (
	"strings"
	"testing"
)

// check warns of clients that stay with a quiescent server, unless this kernel sends them elsewhere.
func TestKernelCheckTellsOfClientsThatStay(t *testing.T) {
	l := newLabOf(t, 0)
	path := l.config(`quiescent = yes
virtual = 192.0.2.10:80
        real = 192.0.2.21:80 gate
        checktype = on
        persistent = 600
virtual = 192.0.2.10:81
        real = 192.0.2.21:81 gate
        checktype = on
        quiescent = no
        persistent = 600
`)
	const told = ":6:22: warning: clients stay with a quiescent server until their persistence ends"
	if out := l.does(path, "check"); strings.Count(out, "clients stay") != 1 || !strings.Contains(out, told) {
		t.Errorf("check does not warn exactly once of clients that stay:\n%s", out)
	}
	l.sh("ip netns exec %sdir sysctl -qw net.ipv4.vs.expire_quiescent_template=1", l.prefix)
	if out := l.does(path, "check"); strings.Contains(out, "clients stay") {
		t.Errorf("check warns of clients that stay, though the kernel sends them elsewhere:\n%s", out)
	}
}
