package main

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"ldirectord/internal/testkit"
)

// In a root folder with only the program, as in the container image, check refuses each line that needs a shell.
func TestCheckInAnImageWithoutAShell(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs root")
	}
	root := t.TempDir()
	build := exec.Command("go", "build", "-o", filepath.Join(root, "ldirectord"), ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v: %s", err, out)
	}
	const service = "logfile = \"local0\"\nvirtual = 192.0.2.10:80\n\treal = 192.0.2.21:80 gate\n"
	for _, dir := range []string{"run", "etc"} {
		testkit.OK(t, os.Mkdir(filepath.Join(root, dir), 0o700))
	}
	for name, c := range map[string]struct {
		lines string
		want  []string // nil: the file is good
	}{
		"good.cf": {"\twebhook = https://hooks.example/\n", nil},
		"bad.cf": {"\tonchange = /bin/tell\n\temailalert = a@example.net\n", []string{
			"/etc/bad.cf:4:13: error: there is no /bin/sh here, so onchange never runs; webhook needs no " +
				"shell\n",
			"/etc/bad.cf:5:15: error: there is no mail program here, so emailalert sends nothing; smtp = " +
				"HOST needs none\n",
			"/etc/bad.cf: 2 errors; virtual services: 1, real servers: 1"}},
	} {
		text := service + c.lines
		if c.want == nil {
			text = strings.TrimSpace(c.lines) + "\n" + service
		}
		testkit.Write(t, filepath.Join(root, "etc", name), text)
		check := exec.Command("/ldirectord", "--ipvs", "memory", "/etc/"+name, "check")
		check.Dir, check.SysProcAttr = "/", &syscall.SysProcAttr{Chroot: root}
		out, err := check.CombinedOutput()
		if exit := new(exec.ExitError); err != nil &&
			(!errors.As(err, &exit) || exit.ExitCode() != exitConfig) || (err == nil) != (c.want == nil) {
			t.Fatalf("%s: %v: %s", name, err, out)
		}
		for _, want := range c.want {
			if !strings.Contains(string(out), want) {
				t.Errorf("%s: got\n%swant\n%s", name, out, want)
			}
		}
	}
}
