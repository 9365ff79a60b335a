package ipvsctl

import (
	"errors"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"ldirectord/internal/testkit"
)

// The tests of this file must be the last ones: after ip_vs was unloaded, moby/ipvs can't be used in this process any
// more.

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

// alone runs the test in a process of its own, because moby/ipvs looks for IPVS only once in each process. It returns
// true in that process.
func alone(t *testing.T) bool {
	t.Helper()
	if os.Getenv("IPVS_TESTS_ALONE") != "" {
		return true
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$")
	cmd.Env = append(os.Environ(), "IPVS_TESTS_ALONE=1")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	return false
}

func TestKernelModuleIsLoadedAtOpen(t *testing.T) {
	needsIPVS(t)
	if alone(t) {
		unloadIPVS(t)
		t.Setenv("PATH", "/nowhere") // modprobe is found without PATH
		apply(t, openKernel(t))
	}
}

func TestKernelModuleLoadedAgainIsAnErrorAndNotAChangeElsewhere(t *testing.T) {
	needsIPVS(t)
	if !alone(t) {
		return
	}
	k := &kernel{}
	testkit.OK(t, k.Connect(t.Context()))
	defer k.Close()
	apply(t, k)
	unloadIPVS(t)
	if _, err := k.Read(t.Context()); !errors.Is(err, syscall.ENOENT) {
		t.Errorf("without the module: %v", err)
	}
	err := k.Do(t.Context(), parseOp(t, "-D -f 1"))[0]
	if !errors.Is(err, errReloaded) || !strings.Contains(err.Error(), "restart this program") {
		t.Errorf("with the module loaded again: %v", err)
	}
}
