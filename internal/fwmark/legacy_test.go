package fwmark

import (
	"errors"
	"io/fs"
	"testing"
	"testing/fstest"
)

// closed is a file system with files that this user may not read.
type closed struct{ fstest.MapFS }

func (c closed) Open(name string) (fs.File, error) {
	if f, ok := c.MapFS[name]; ok && f.Mode == fs.ModeIrregular {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrPermission}
	}
	return c.MapFS.Open(name)
}

func (c closed) ReadFile(name string) ([]byte, error) {
	f, err := c.Open(name)
	if err != nil {
		return nil, err
	}
	f.Close()
	return c.MapFS.ReadFile(name)
}

// A user who may not read the names of the tables gets the answer from the list of modules, and no error.
func TestLegacyTable(t *testing.T) {
	const names = "proc/net/ip_tables_names"
	file := func(text string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(text)} }
	secret := &fstest.MapFile{Mode: fs.ModeIrregular}
	release := file("6.1.0-9-amd64\n")
	for name, c := range map[string]struct {
		files fstest.MapFS
		ipv6  bool
		want  bool
	}{
		"no iptables-legacy":  {files: fstest.MapFS{}},
		"another table":       {files: fstest.MapFS{names: file("filter\n")}},
		"the table":           {files: fstest.MapFS{names: file("filter\nmangle\n")}, want: true},
		"of the other family": {files: fstest.MapFS{names: file("mangle\n")}, ipv6: true},
		"closed, no module":   {files: fstest.MapFS{names: secret, "sys/module/ip_tables/x": file("")}},
		"closed, module": {files: fstest.MapFS{names: secret, "sys/module/iptable_mangle/x": file("")},
			want: true},
		"closed, other module": {files: fstest.MapFS{names: secret, "sys/module/ip6table_mangle/x": file("")}},
		"closed, built in": {files: fstest.MapFS{names: secret, "proc/sys/kernel/osrelease": release,
			"lib/modules/6.1.0-9-amd64/modules.builtin": file(
				"kernel/net/ipv4/netfilter/iptable_mangle.ko\n")}, want: true},
		"closed, another built in": {files: fstest.MapFS{names: secret, "proc/sys/kernel/osrelease": release,
			"lib/modules/6.1.0-9-amd64/modules.builtin": file(
				"kernel/net/ipv4/netfilter/iptable_filter.ko\n")}},
	} {
		t.Run(name, func(t *testing.T) {
			if got, err := legacyTable(closed{c.files}, mangle, c.ipv6); got != c.want || err != nil {
				t.Errorf("%v, %v, want %v", got, err, c.want)
			}
		})
	}
	broken := errors.New("broken")
	if _, err := legacyTable(failing{broken}, mangle, false); !errors.Is(err, broken) {
		t.Errorf("%v, want what reading failed with", err)
	}
}

type failing struct{ error }

func (f failing) Open(string) (fs.File, error) { return nil, f.error }
