// Package instance identifies daemons: which one runs for a file, on which table and in which network namespace, and
// which files it keeps in the run folder.
package instance

import (
	"fmt"
	"hash/fnv"
	"os"
	"strconv"
	"syscall"

	"ldirectord/ipvsctl"
)

// Kernel is the table of the kernel, as --ipvs names it.
const Kernel = ipvsctl.Kernel

// Daemon identifies a daemon. The same file may have a second daemon on another table, or in another network namespace,
// which has its own table.
type Daemon struct {
	Path  string // the absolute path of the configuration as found: links in it may change
	Table string // kernel, memory or memory:FILE
	NetNS uint64 // the inode of the namespace
}

// isSame reports whether two daemons are the same. If they have one path, its file may be gone.
func (d Daemon) isSame(other Daemon) bool {
	switch {
	case d.Table != other.Table || d.NetNS != other.NetNS:
		return false
	case d.Path == other.Path:
		return true
	}
	a, err := os.Stat(d.Path)
	if err != nil {
		return false
	}
	b, err := os.Stat(other.Path)
	return err == nil && os.SameFile(a, b)
}

// sharesNetNS reports whether a process is in our network namespace; true if that can't be read.
func (d Daemon) sharesNetNS(pid int) bool {
	n := netNSOf(strconv.Itoa(pid))
	return n == 0 || n == d.NetNS
}

// suffix makes a name unique if another daemon has the same name.
func (d Daemon) suffix() string {
	h := fnv.New32a()
	fmt.Fprintf(h, "%s\x00%s\x00%d", d.Path, d.Table, d.NetNS)
	return fmt.Sprintf("-%08x", h.Sum32())
}

// NetNS is the network namespace of this process; 0 if unknown.
func NetNS() uint64 { return netNSOf("self") }

func netNSOf(process string) uint64 {
	info, err := os.Stat("/proc/" + process + "/ns/net")
	if err != nil {
		return 0
	}
	return info.Sys().(*syscall.Stat_t).Ino
}
