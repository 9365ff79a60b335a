package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"ldirectord/internal/instance"
	"ldirectord/internal/testkit"
)

// On a laptop or in CI, plan compares with an empty table, and says so.
func TestPlanWithoutIPVS(t *testing.T) {
	if _, err := os.Stat("/proc/net/ip_vs"); err == nil {
		t.Skip("this kernel has IPVS")
	}
	t.Setenv("PATH", "") // no modprobe
	dir := t.TempDir()
	testkit.Write(t, filepath.Join(dir, "ld.cf"),
		"virtual = 10.1.0.1:80\n\treal = 10.2.0.1:80 masq\n\tchecktype = on\n")
	for option, status := range map[string]int{"--json": exitOK, "--exit-code": exitChanges} {
		var out, errs bytes.Buffer
		testkit.Equal(t,
			runCommand(t.Context(), []string{"ldirectord", "--rundir", dir, "ld.cf", "plan", option}, &out,
				&errs, instance.ConfigDirs{dir}),
			status, option, "exit status", errs.String())
		for _, want := range []string{"compared with an empty table: the kernel has no IPVS",
			"-A -t 10.1.0.1:80 -s wrr"} {
			if !bytes.Contains(out.Bytes(), []byte(want)) {
				t.Errorf("%s: not %q: %s", option, want, out.String())
			}
		}
	}
}
