package daemon

import (
	"context"
	"os"
	"strings"

	"ldirectord/instance"
	"ldirectord/ipvsctl"
)

// openTable opens the table that --ipvs names: kernel, memory or memory:FILE. It changes nothing.
func openTable(ctx context.Context, name string) (ipvsctl.Client, error) {
	kind, file, _ := strings.Cut(name, ":")
	if kind == instance.Kernel {
		return ipvsctl.Open(ctx)
	}
	m := ipvsctl.NewMemory(nil)
	if file == "" {
		return m, nil
	}
	m.OnChange = func() { // errors are ignored: tryFile found none
		t, _ := m.Read(context.Background())
		text := []byte(ipvsctl.Format(t))
		if info, err := os.Stat(file); err == nil && !info.Mode().IsRegular() {
			_ = os.WriteFile(file, text, 0) // a pipe or a device is never replaced
			return
		}
		_ = instance.Replace(file, text, 0o644)
	}
	return m, tryFile(file)
}
