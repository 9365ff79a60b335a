package doctor

import (
	"context"
	"errors"
	"path/filepath"
	"syscall"

	"ldirectord/internal/runfile"
	"ldirectord/ipvsctl"
)

// withoutIPVS returns a finding if the kernel has neither IPVS nor a module that the daemon can load, and otherwise a
// zero Finding. If there is no list of modules, as in a container, it asks the kernel itself.
func withoutIPVS(ctx context.Context, kernel kernelModules, table ipvsctl.Client) Finding {
	if kernel.lacks("ip_vs") {
		return finding("no-ipvs", "it has no module ip_vs; install the package that contains it", "")
	}
	if kernel.listed != "" || runfile.Exists(filepath.Join(kernel.loaded, "ip_vs")) {
		return Finding{}
	}
	err := table.Connect(ctx)
	table.Close()
	if !errors.Is(err, syscall.ENOENT) {
		return Finding{} // it exists, even if this program has no access
	}
	const unloaded = "the module ip_vs is not loaded; for a container it must be loaded on the host"
	return finding("no-ipvs", unloaded, "modprobe ip_vs")
}
