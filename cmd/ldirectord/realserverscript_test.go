package main

import (
	"bytes"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"ldirectord/internal/testkit"
)

// hostileScript is the script for a file with hostile names.
func hostileScript(t *testing.T) string {
	t.Helper()
	const hostile = "a'b\n touch pwned\n$(touch pwned)`touch pwned`\"; touch pwned; '"
	servers := []*realServer{{
		addr: netip.MustParseAddr("192.0.2.21"),
		serves: map[string][]string{"gate": {"192.0.2.10", "192.0.2.64/28"}, "ipip": {"2001:db8::10"},
			"masq": nil},
	}, {addr: netip.MustParseAddr("fe80::1%$(touch pwned)' touch pwned"), serves: map[string][]string{}}}
	servers[1].serves["gate"] = servers[0].serves["gate"]
	var script strings.Builder
	testkit.OK(t, writeRealServerScript(&script, hostile, hostile, "", servers))
	path := filepath.Join(t.TempDir(), "script")
	testkit.Write(t, path, script.String())
	return path
}

// In no shell that is installed here does the script run any text of the file.
func TestRealServerScriptRunsNothingOfTheFile(t *testing.T) {
	if _, err := exec.LookPath("ip"); err != nil {
		t.Skip("ip is not installed")
	}
	for _, shell := range [][]string{{"sh"}, {"dash"}, {"bash", "--posix"}, {"busybox", "sh"}, {"ksh"}} {
		t.Run(shell[0], func(t *testing.T) {
			if _, err := exec.LookPath(shell[0]); err != nil {
				t.Skip("not installed")
			}
			cmd := exec.Command(shell[0], append(shell[1:], hostileScript(t), "status")...)
			cmd.Dir = t.TempDir()
			cmd.Env = []string{"PATH=" + os.Getenv("PATH") + ":/usr/sbin:/sbin", "RUNDIR=" + cmd.Dir}
			out, err := cmd.CombinedOutput()
			if cmd.ProcessState.ExitCode() != 3 ||
				!bytes.HasPrefix(out, []byte("stopped: missing: an address of a real server")) {
				t.Errorf("%v: %s", err, out)
			}
			if left, _ := os.ReadDir(cmd.Dir); len(left) != 0 {
				t.Errorf("it made %v", left)
			}
		})
	}
}

// Hostile names need $ in single quotes, so SC2016 is excluded.
func TestRealServerScriptIsCleanUnderShellcheck(t *testing.T) {
	if _, err := exec.LookPath("shellcheck"); err != nil {
		t.Skip("shellcheck is not installed")
	}
	testkit.Run(t, exec.Command("shellcheck", "--shell=sh", "--exclude=SC2016", hostileScript(t)))
}
