package ipvsctl

import (
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"ldirectord/internal/lvs"
	"ldirectord/internal/testkit"
)

// unloadIPVS unloads the modules of the lab's kernel, never those of a real machine.
func unloadIPVS(t *testing.T) {
	t.Helper()
	cpu, err := os.ReadFile("/proc/cpuinfo")
	if err != nil || !strings.Contains(string(cpu), "User Mode Linux") {
		t.Skip("unloads ip_vs: only in the lab")
	}
	var modules []byte
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		if modules, err = os.ReadFile("/proc/modules"); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(modules), "ip_vs") {
			return
		}
		for line := range strings.Lines(string(modules)) { // the modules loaded last come first
			if name := strings.Fields(line)[0]; strings.HasPrefix(name, "ip_vs") {
				exec.Command("rmmod", name).Run() // a module in use is unloaded in a later round
			}
		}
	}
	t.Fatalf("the modules of IPVS do not go:\n%s", modules)
}

func TestKernelModuleIsLoadedAtOpen(t *testing.T) {
	needsIPVS(t)
	unloadIPVS(t)
	t.Setenv("PATH", "/nowhere") // modprobe is found without PATH
	apply(t, openKernel(t))
}

// The number of the family IPVS is another one each time.
func TestKernelModuleLoadedAgainIsUsed(t *testing.T) {
	k := ownKernel(t)
	service := parseOp(t, "-A -f 1 -s rr")
	for what, ask := range map[string]func() error{
		"read":     func() error { return testkit.Error(k.Read(t.Context())) },
		"addition": func() error { return k.Do(t.Context(), service)[0] },
		"removal":  func() error { return k.Do(t.Context(), parseOp(t, "-D -f 1"))[0] },
		"timeouts": func() error { return testkit.Error(k.Timeouts(t.Context(), lvs.Timeouts{7, 8, 9})) },
	} {
		unloadIPVS(t)
		err := ask()
		if (err == nil) != (what == "read") || err != nil && !IsMissing(err) {
			t.Errorf("%s: %v", what, err)
		}
		testkit.OK(t, ask(), what)
		apply(t, k, service)
		if err := k.Do(t.Context(), parseOp(t, "-A -f 1 -s nosuch"))[0]; IsMissing(err) {
			t.Errorf("no module of a scheduler: %v", err)
		}
		apply(t, k, parseOp(t, "-D -f 1"))
	}
}
