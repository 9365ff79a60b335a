package fwmark

import (
	"errors"
	"io/fs"
	"path"
	"slices"
	"strings"
)

// legacyTable reports whether iptables-legacy has a table with the given name in this network namespace. Only root can
// read the list of tables. For any other user, legacyTable reports whether the table's module is present.
func legacyTable(root fs.FS, name string, ipv6 bool) (bool, error) {
	family := "ip"
	if ipv6 {
		family = "ip6"
	}
	tables, err := fs.ReadFile(root, "proc/net/"+family+"_tables_names")
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return false, nil
	case errors.Is(err, fs.ErrPermission):
		return hasModule(root, family+"table_"+name), nil
	}
	return slices.Contains(strings.Fields(string(tables)), name), err
}

// hasModule reports whether a module is loaded or built into the kernel.
func hasModule(root fs.FS, name string) bool {
	if _, err := fs.Stat(root, "sys/module/"+name); err == nil {
		return true
	}
	release, _ := fs.ReadFile(root, "proc/sys/kernel/osrelease")
	builtIn, _ := fs.ReadFile(root, path.Join("lib/modules", strings.TrimSpace(string(release)), "modules.builtin"))
	return strings.Contains(string(builtIn)+"\n", "/"+name+".ko\n")
}
