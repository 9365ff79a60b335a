package lab

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

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
