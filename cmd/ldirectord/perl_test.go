package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"ldirectord/internal/testkit"
)

// While the Perl ldirectord still runs after the installation, commands report it and name the command that takes
// over.
func TestThePerlDaemonIsNamed(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "x.cf")
	config := "virtual = 10.1.0.1:7000\n\treal = 10.2.0.1:7000 gate\n\tchecktype = on\n"
	testkit.Write(t, file, config)
	perl := exec.Command("/bin/sh")
	perl.Args = []string{"/usr/bin/perl", "-s", "/usr/sbin/ldirectord", file, "start"}
	in := testkit.Must(perl.StdinPipe())(t)
	testkit.OK(t, perl.Start())
	defer func() { in.Close(); perl.Wait() }()
	pid := perl.Process.Pid
	within(t, "perl", func() bool { // the process shows this name shortly after its start
		line, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
		return strings.HasPrefix(string(line), "/usr/bin/perl")
	})
	testkit.Write(t, filepath.Join(dir, "ldirectord.x.cf.pid"), string(fmt.Appendln(nil, pid)))
	restart := `"ldirectord ` + file + ` restart"`
	want := fmt.Sprintf("pid %d is the Perl ldirectord; %s takes over from it without ending a connection", pid,
		restart)
	for _, c := range []struct {
		words  string
		status int
		more   string
	}{
		{"status", 0, ""},
		{"status -v", 4, ""},
		{"why 10.2.0.1", 1, ""},
		{"drain 10.2.0.1:7000 --force", 1, "; the order applies from the next start of this program"},
	} {
		args := append([]string{"--rundir", dir, file}, strings.Fields(c.words)...)
		out, err := exec.Command(program(t), args...).CombinedOutput()
		status := 0
		if exit, ok := err.(*exec.ExitError); ok {
			status = exit.ExitCode()
		}
		if status != c.status || !strings.Contains(string(out), want+c.more) {
			t.Errorf("%s ended with %d:\n%s", c.words, status, out)
		}
	}
	out, _ := exec.Command(program(t), "--rundir", dir, file, "status", "--json").Output()
	if !strings.Contains(string(out), fmt.Sprintf("pid %d is the Perl ldirectord", pid)) {
		t.Errorf("as JSON:\n%s", out)
	}
}
