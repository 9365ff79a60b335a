package fwmark

import (
	"errors"
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"

	"ldirectord/internal/testkit"
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
	for _, row := range testkit.Table(t, "../../testdata/fwmark/legacy.txt", 5) {
		files := fstest.MapFS{}
		switch row[1] {
		case "":
		case "closed":
			files[names] = secret
		default:
			files[names] = file(strings.ReplaceAll(row[1], " ", "\n") + "\n")
		}
		if strings.HasPrefix(row[2], "kernel/") {
			files["proc/sys/kernel/osrelease"] = file("6.1.0-9-amd64\n")
			files["lib/modules/6.1.0-9-amd64/modules.builtin"] = file(row[2] + "\n")
		} else if row[2] != "" {
			files[row[2]] = file("")
		}
		got, err := legacyTable(closed{files}, mangle, row[3] == "IPv6")
		testkit.OK(t, err, row[0])
		testkit.Equal(t, got, row[4] == "yes", row[0])
	}
	broken := errors.New("broken")
	testkit.Is(t, testkit.Error(legacyTable(failing{broken}, mangle, false)), broken)
}

type failing struct{ error }

func (f failing) Open(string) (fs.File, error) { return nil, f.error }
