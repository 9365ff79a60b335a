package doctor

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"ldirectord/run"

	"golang.org/x/sys/unix"
)

// kernelModules are the modules of the running kernel.
type kernelModules struct {
	listed []string // by path, as depmod(8) lists them; nil: there is no list, as in most containers
	loaded string   // the folder with an entry for each loaded module
}

// maxModuleList bounds each list; that of a distribution's kernel has less than 1 MiB.
const maxModuleList = 16 << 20

// modulesHere reads the lists of the running kernel.
func modulesHere() kernelModules {
	m := kernelModules{loaded: "/sys/module"}
	var name unix.Utsname
	if unix.Uname(&name) != nil {
		return m
	}
	return m.read(filepath.Join("/lib/modules", unix.ByteSliceToString(name.Release[:])))
}

// read reads both lists of a folder, or none: with only one, the modules of the other would seem to be missing.
func (m kernelModules) read(folder string) kernelModules {
	for _, list := range []string{"modules.dep", "modules.builtin"} {
		text, err := run.ReadFile(filepath.Join(folder, list), maxModuleList)
		if err != nil {
			m.listed = nil
			return m
		}
		for line := range bytes.Lines(text) {
			path, _, _ := bytes.Cut(bytes.TrimSpace(line), []byte(":"))
			name, _, _ := bytes.Cut(path[bytes.LastIndexByte(path, '/')+1:], []byte(".ko"))
			m.listed = append(m.listed, string(name))
		}
	}
	return m
}

// lacks reports whether a module is neither loaded nor available. Without a list no module counts as missing.
func (m kernelModules) lacks(module string) bool {
	if len(m.listed) == 0 || slices.Contains(m.listed, module) {
		return false
	}
	_, err := os.Stat(filepath.Join(m.loaded, module))
	return errors.Is(err, fs.ErrNotExist)
}
