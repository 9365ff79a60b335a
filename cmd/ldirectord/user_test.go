package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"ldirectord/internal/testkit"
)

// A file that only the user who runs check may not open is not a mistake in the configuration. A daemon of that user
// can't start with it.
func TestWhatAUserMayNotOpenIsNoMistake(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can be another user")
	}
	dir := t.TempDir()
	testkit.OK(t, os.Chmod(filepath.Dir(dir), 0o755))
	asNobody := func(want int, args ...string) string {
		t.Helper()
		c := exec.Command("/proc/self/exe") // because the path of the test binary is closed to other users
		c.Args = append([]string{"ldirectord", "--ipvs", "memory", "--rundir", dir,
			filepath.Join(dir, "ld.cf")}, args...)
		c.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
		out, _ := c.CombinedOutput()
		testkit.Equal(t, c.ProcessState.ExitCode(), want, args, "exit status", out)
		return strings.ReplaceAll(string(out), dir+"/", "")
	}
	write := func(name, text string, mode os.FileMode) {
		t.Helper()
		testkit.OK(t, os.WriteFile(filepath.Join(dir, name), []byte(text), mode))
	}
	write("ca.pem", "of root", 0o600)
	section := "virtual = 10.1.0.1:443\n\treal = 127.0.0.1:1 masq\n\tservice = https\n\ttlsverify = yes\n" +
		"\ttlsca = " + dir + "/ca.pem\n"
	write("ld.cf", "logfile = \""+dir+"/log\"\n"+section, 0o644)
	for _, want := range []string{
		"ld.cf:1:11: warning: as nobody the log file cannot be opened (open log: permission denied); root " +
			"has the rights\n",
		"ld.cf:6:10: warning: as nobody the file cannot be read (open ca.pem: permission denied); root has " +
			"the rights\n",
		"ld.cf: no errors, ",
	} {
		if out := asNobody(exitOK, "check"); !strings.Contains(out, want) {
			t.Errorf("check: want %s\n%s", want, out)
		}
	}
	testkit.Contains(t, asNobody(exitFailure, "probe"), "unknown  0.0ms  tlsca: open ca.pem: permission denied\n",
		"probe")
	for _, verb := range []string{"start", "standby", "reload", "restart", "status"} {
		testkit.Contains(t, asNobody(exitConfig, verb),
			"at line 1: the log file cannot be opened (open log: permission denied); it must be ", verb)
	}
	write("ld.cf", "logfile = \"/dev/null/log\"\n"+section, 0o644) // root can't open it either
	asNobody(exitConfig, "check")
	testkit.OK(t, os.Chmod(filepath.Join(dir, "ld.cf"), 0))
	for _, verb := range []string{"start", "stop", "reload", "restart", "status", "check", "plan"} {
		testkit.Contains(t, asNobody(exitConfig, verb), "reading the configuration: open ", verb)
	}
}
