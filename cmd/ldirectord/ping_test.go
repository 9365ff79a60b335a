package main

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"ldirectord/internal/testkit"
)

// Where pings are forbidden, check reports it at the line that pings. It reports nothing for a file without pings,
// and probe says nothing about the server. In a new network namespace net.ipv4.ping_group_range allows pings to no
// group.
func TestCheckSaysThatPingsAreForbidden(t *testing.T) {
	within := []string{"-n", "setpriv", "--bounding-set=-net_raw", "--inh-caps=-net_raw"}
	if err := exec.Command("unshare", append(within, "true")...).Run(); err != nil {
		t.Skipf("only root can take the right to send pings away here, by unshare and setpriv: %v", err)
	}
	const file = "virtual = 10.1.0.1:80\n\treal = 10.2.0.1:80 gate\n\tchecktype = connect\n"
	for further, want := range map[string]bool{"": false, "\talsocheck = ping\n": true} {
		path := filepath.Join(t.TempDir(), "ld.cf")
		testkit.Write(t, path, file+further)
		out, err := exec.Command("unshare", append(within, program(t), path, "check")...).CombinedOutput()
		if got := strings.Contains(string(out),
			"ld.cf:4:14: warning: this user can't send pings here"); err != nil || got != want {
			t.Errorf("%q: %v\n%s", further, err, out)
		}
		out, _ = exec.Command("unshare", append(within, program(t), path, "probe")...).CombinedOutput()
		if got := strings.Contains(string(out), "  unknown  "); got != want {
			t.Errorf("%q: probe says\n%s", further, out)
		}
	}
}
