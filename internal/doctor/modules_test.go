package doctor

import (
	"os"
	"path/filepath"
	"testing"

	"ldirectord/internal/testkit"
)

func TestModulesThatAKernelLacks(t *testing.T) {
	folder, loaded := t.TempDir(), t.TempDir()
	unlisted := kernelModules{loaded: loaded}.read(folder)
	testkit.Write(t, filepath.Join(folder, "modules.dep"),
		"kernel/net/netfilter/ipvs/ip_vs_rr.ko.xz: kernel/net/netfilter/ipvs/ip_vs.ko.xz\n"+
			"kernel/net/netfilter/ipvs/ip_vs_sh.ko:\n")
	half := kernelModules{loaded: loaded}.read(folder)
	testkit.Write(t, filepath.Join(folder, "modules.builtin"), "kernel/net/netfilter/ipvs/ip_vs_wlc.ko\n")
	testkit.OK(t, os.Mkdir(filepath.Join(loaded, "ip_vs_own"), 0o700))
	all := kernelModules{loaded: loaded}.read(folder)
	for module, want := range map[string]bool{
		"ip_vs_rr": false, "ip_vs_sh": false, "ip_vs_wlc": false, "ip_vs_own": false, "ip_vs_r": true,
		"ip_vs_twos": true,
	} {
		testkit.Equal(t, all.lacks(module), want, "lacks", module)
		if unlisted.lacks(module) || half.lacks(module) {
			t.Errorf("without a list %s is said to be missing", module)
		}
	}
}
