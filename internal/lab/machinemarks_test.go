package lab

import (
	"os/exec"
	"strings"

	"ldirectord/internal/testkit"
)

func (l *lab) says(out string, wanted ...string) {
	l.t.Helper()
	for _, text := range wanted {
		testkit.Contains(l.t, out, text)
	}
}

// backEnds are the back end of iptables in the director, and the other one, which gets a rule; empty if this kernel
// doesn't have it.
func (l *lab) backEnds() (here, there string) {
	l.t.Helper()
	here, there = "iptables-legacy", "iptables-nft"
	exec.Command("modprobe", "-aq", "nf_tables", "nft_compat").Run()
	if version, _ := exec.Command("iptables", "--version").Output(); strings.Contains(string(version),
		"nf_tables") {
		here, there = there, here
	}
	if out, err := exec.Command("ip", "netns", "exec", l.prefix+"dir", there, "-t", "mangle", "-A", "FORWARD", "-j",
		"ACCEPT").CombinedOutput(); err != nil {
		l.t.Logf("%s: %v: %s", there, err, out)
		return here, ""
	}
	return here, there
}
