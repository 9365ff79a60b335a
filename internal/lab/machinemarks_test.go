package lab

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ldirectord/internal/testkit"
)

func (l *lab) says(out string, wanted ...string) {
	l.t.Helper()
	for _, text := range wanted {
		if !strings.Contains(out, text) {
			l.t.Errorf("not said: %s\nin\n%s", text, out)
		}
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

const marksConfig = `virtual = 3
        mark = 192.0.2.10 tcp 80,443
        mark = 203.0.113.10 udp 53
        real = 192.0.2.21:80 gate
        checktype = on
virtual = 4
        real = 192.0.2.21:80 gate
        checktype = on
`

// check and plan know the machine's other rules for the marks of the file, and plan shows what would change.
func TestKernelCheckAndPlanKnowTheMarks(t *testing.T) {
	l := newLabOf(t, 0)
	path := l.config(marksConfig)
	out := l.does(path, "check")
	l.says(out, ":4:16: warning: no interface here has 203.0.113.10",
		":7:11: warning: nothing sets mark 4 here")
	testkit.Equal(t, strings.Count(out, "warning:"), 2, "warnings", out)

	var commands []string
	for line := range strings.Lines(l.does(path, "plan")) {
		if strings.HasPrefix(line, "iptables ") {
			commands = append(commands, line)
		}
	}
	if len(commands) != 4 {
		t.Fatalf("plan has %q", commands)
	}
	l.sh("ip netns exec %sdir sh -ec '%s'", l.prefix, strings.Join(commands, ""))
	if out := l.does(path, "plan"); strings.Contains(out, "iptables") {
		t.Errorf("after its commands the plan still has\n%s", out)
	}
	l.does(path, "start")
	l.until(2*time.Second, "-A -f 3 -s wrr", "-A -f 4 -s wrr")
	l.says(l.does(path, "plan"), "# nothing to change")

	l.sh(`ip netns exec %[1]sdir iptables -t mangle -A PREROUTING -d 192.0.2.77 -j MARK --set-mark 3
		ip netns exec %[1]sdir iptables -t mangle -A PREROUTING -d 192.0.2.77 -j MARK --set-mark 4
		ip -n %[1]sdir rule add fwmark 4 table 100 priority 77`, l.prefix)
	here, there := l.backEnds()
	out = l.does(path, "check")
	l.says(out, ":2:11: warning: mark 3 is set by a rule too, in chain PREROUTING ("+here+
		"): -d 192.0.2.77/32 -j MARK",
		":7:11: warning: mark 4 is used by ip rule 77, which sends its packets to table 100")
	if there != "" {
		l.says(out, ":3:16: warning: iptables is "+here+" here, and "+there+
			" has rules in its mangle table as well")
	}
	if strings.Contains(out, "nothing sets") {
		t.Errorf("check overlooks a rule for mark 4:\n%s", out)
	}

	before := l.table()
	own := l.config(strings.Replace(marksConfig, "192.0.2.10 tcp 80,443", "192.0.2.0/24 tcp all", 1))
	const refused = "all ports of 192.0.2.1 are marked, which is the address of this machine itself"
	for _, verb := range []string{"check", "plan", "reload", "start"} {
		l.says(l.run(2, own, verb), refused)
	}
	testkit.Equal(t, l.table(), before, "the table")
	l.config(strings.Replace(marksConfig, "192.0.2.10 tcp 80,443", "192.0.2.10 tcp all", 1))
	l.does(path, "reload")
	l.says(l.does(path, "plan"), "# nothing to change")
	l.does(path, "stop")
	if rules, err := exec.Command("ip", "netns", "exec", l.prefix+"dir", "iptables", "-t", "mangle",
		"-S").Output(); err != nil || strings.Contains(string(rules), "LDIRECTORD") {
		t.Errorf("stop leaves (%v)\n%s", err, rules)
	}
}

// If this kernel lacks a back end, its iptables shows an empty table and sets no marks. So doctor tries to set one,
// and names the other back end.
func TestKernelDoctorTriesToSetMarks(t *testing.T) {
	l := newLabOf(t, 0)
	const nft, legacy = "/usr/sbin/xtables-nft-multi", "/usr/sbin/iptables-legacy"
	dir := t.TempDir()
	for _, name := range []string{"iptables", "ip6tables"} {
		testkit.OK(t, os.Symlink(nft, filepath.Join(dir, name)))
	}
	tables := func(program string, args ...string) ([]byte, error) {
		words := append([]string{"netns", "exec", l.prefix + "dir", program, "-t", "mangle"}, args...)
		return exec.Command("ip", words...).Output()
	}
	able := func(program string) bool {
		_, err := tables(program, "-N", "TRY")
		tables(program, "-X", "TRY")
		return err == nil
	}
	if able(filepath.Join(dir, "iptables")) || !able(legacy) {
		t.Skip("this kernel has nf_tables, or no iptables-legacy")
	}
	path := l.config(marksConfig)
	if out := l.output(path, "doctor"); strings.Contains(out, "no mark can be set") {
		t.Errorf("with iptables-legacy doctor says that no mark can be set:\n%s", out)
	}
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
	out := l.run(1, path, "doctor")
	l.says(out, "broken: fwm:3: no mark can be set: iptables -t mangle -N ",
		"; to fix it: update-alternatives --set iptables "+legacy+"\n")
	if left, err := tables(legacy, "-S"); err != nil || strings.Contains(string(left), "ldirectord-") {
		t.Errorf("doctor left\n%s\n%v", left, err)
	}
}
