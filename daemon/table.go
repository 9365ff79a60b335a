package daemon

import (
	"context"
	"os"
	"strings"

	"ldirectord/instance"
	"ldirectord/ipvsctl"
)

// openTable opens the table that --ipvs names: kernel, memory or memory:FILE.
func openTable(ctx context.Context, name string) (ipvsctl.Client, error) {
	kind, file, _ := strings.Cut(name, ":")
	if kind == instance.Kernel {
		return ipvsctl.Open(ctx)
	}
	m := ipvsctl.NewMemory(nil)
	if file == "" {
		return m, nil
	}
	copyTable := func() error {
		t, err := m.Read(context.Background())
		if err != nil {
			return err
		}
		text := []byte(ipvsctl.Format(t))
		if info, err := os.Stat(file); err == nil && !info.Mode().IsRegular() {
			return os.WriteFile(file, text, 0) // a pipe or a device is never replaced
		}
		return instance.Replace(file, text, 0o644)
	}
	m.OnChange = func() { _ = copyTable() } // the first one showed that it can be written
	return m, copyTable()
}
