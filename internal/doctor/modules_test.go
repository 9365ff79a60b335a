package doctor

import (
	"os"
	"path/filepath"
	"testing"
)

func TestModulesThatAKernelLacks(t *testing.T) {
	folder, loaded := t.TempDir(), t.TempDir()
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	unlisted := kernelModules{loaded: loaded}.read(folder)
	write("modules.dep", "kernel/net/netfilter/ipvs/ip_vs_rr.ko.xz: kernel/net/netfilter/ipvs/ip_vs.ko.xz\n"+
		"kernel/net/netfilter/ipvs/ip_vs_sh.ko:\n")
	half := kernelModules{loaded: loaded}.read(folder)
	write("modules.builtin", "kernel/net/netfilter/ipvs/ip_vs_wlc.ko\n")
	if err := os.Mkdir(filepath.Join(loaded, "ip_vs_own"), 0o700); err != nil {
		t.Fatal(err)
	}
	all := kernelModules{loaded: loaded}.read(folder)
	for module, want := range map[string]bool{
		"ip_vs_rr": false, "ip_vs_sh": false, "ip_vs_wlc": false, "ip_vs_own": false, "ip_vs_r": true,
		"ip_vs_twos": true,
	} {
		if got := all.lacks(module); got != want {
			t.Errorf("lacks %s: %v, want %v", module, got, want)
		}
		if unlisted.lacks(module) || half.lacks(module) {
			t.Errorf("without a list %s is said to be missing", module)
		}
	}
}
