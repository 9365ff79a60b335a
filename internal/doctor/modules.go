package doctor

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"ldirectord/internal/runfile"
)

// kernelModules shows which modules the running kernel has.
type kernelModules struct {
	listed string // their paths, as depmod(8) lists them; "": no list, as in most containers
	loaded string // the folder with an entry for each loaded module
}

// maxModuleList is the maximum size of each list, in bytes. A distribution's kernel needs less than 1 MiB.
const maxModuleList = 16 << 20

// modulesHere reads the module lists of the running kernel.
func modulesHere() kernelModules {
	release, _ := os.ReadFile("/proc/sys/kernel/osrelease")
	return kernelModules{loaded: "/sys/module"}.read("/lib/modules/" + strings.TrimSpace(string(release)))
}

// read reads the two lists in a folder. If either can't be read, it uses neither, because the modules in that list
// would seem to be missing.
func (m kernelModules) read(folder string) kernelModules {
	for _, list := range []string{"modules.dep", "modules.builtin"} {
		text, err := runfile.ReadFile(filepath.Join(folder, list), maxModuleList)
		if err != nil {
			m.listed = ""
			return m
		}
		m.listed += string(text)
	}
	return m
}

// lacks reports whether a module is neither loaded nor available. Without a list, no module counts as missing.
func (m kernelModules) lacks(module string) bool {
	if m.listed == "" || strings.Contains(m.listed, "/"+module+".ko") {
		return false
	}
	_, err := os.Stat(filepath.Join(m.loaded, module))
	return errors.Is(err, fs.ErrNotExist)
}
