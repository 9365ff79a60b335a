package daemon

import (
	"context"
	"os"
	"strings"

	"ldirectord/internal/lvs"
	"ldirectord/internal/runfile"
	"ldirectord/ipvsctl"
)

// showTable makes sure that a table in memory is written to the file that --ipvs names. That happens after each change
// and when show is called.
func showTable(table ipvsctl.Access, name string) (show func(), err error) {
	m, inMemory := table.Client.(*ipvsctl.Memory)
	_, file, _ := strings.Cut(name, ":")
	if !inMemory || file == "" {
		return func() {}, nil
	}
	m.OnChange = func() { // errors are ignored: tryFile found none
		t, _ := m.Read(context.Background())
		text := []byte(lvs.Format(t))
		if info, err := os.Stat(file); err == nil && !info.Mode().IsRegular() {
			_ = os.WriteFile(file, text, 0) // a pipe or a device is never replaced
			return
		}
		_ = runfile.Replace(file, text, 0o644)
	}
	return m.OnChange, tryFile(file)
}
