// Package instance identifies daemons: which daemon runs for a file, with which table and in which network namespace,
// and which files it keeps in the run folder. It also finds the configuration file that a command line names. role.go
// decides whether a daemon that is told to serve or to leave serves, stops or is on standby. others.go finds the other
// daemons that have a record in a run folder, strangers.go those that have none, such as the Perl ldirectord.
package instance

import (
	"fmt"
	"hash/fnv"
	"os"
	"strconv"
	"syscall"

	"ldirectord/internal/runfile"
	"ldirectord/ipvsctl"
)

// Kernel is the table of the kernel, as --ipvs names it.
const Kernel = ipvsctl.Kernel

// Daemon identifies a daemon. A second daemon may run for the same file with another table, or in another network
// namespace, which has its own table.
type Daemon struct {
	Path  string // the absolute path of the configuration; links in it are not resolved, because they may change
	Table string // kernel, memory or memory:FILE
	NetNS uint64 // the inode of its network namespace; 0 if unknown
}

// isSame reports whether both have the same table, network namespace and configuration.
func (d Daemon) isSame(other Daemon) bool {
	return d.Table == other.Table && d.NetNS == other.NetNS && d.isOf(other.Path)
}

// isOf reports whether a path leads to the daemon's configuration. The recorded path itself counts even if the file no
// longer exists.
func (d Daemon) isOf(path string) bool {
	return d.Path == path || runfile.SameFile(d.Path, path)
}

// sharesNetNS reports whether a process is in our network namespace. It returns true if that is unknown.
func (d Daemon) sharesNetNS(pid int) bool {
	n := netNSOf(strconv.Itoa(pid))
	return n == 0 || n == d.NetNS
}

// suffix returns a suffix that makes the daemon's name unique if another daemon has the same name.
func (d Daemon) suffix() string {
	h := fnv.New32a()
	fmt.Fprintf(h, "%s\x00%s\x00%d", d.Path, d.Table, d.NetNS)
	return fmt.Sprintf("-%08x", h.Sum32())
}

// NetNS returns the network namespace of this process, or 0 if unknown.
func NetNS() uint64 { return netNSOf("self") }

// elsewhere means a network namespace that is not ours and whose number can't be read.
const elsewhere = ^uint64(0)

func netNSOf(process string) uint64 {
	if n := inodeOf("/proc/" + process + "/ns/net"); n != 0 {
		return n
	}
	// A daemon of the systemd unit has no right to trace other processes. Looking at net/dev needs no such right,
	// and its inode differs in each namespace.
	switch inodeOf("/proc/" + process + "/net/dev") {
	case 0:
		return 0
	case inodeOf("/proc/self/net/dev"):
		return inodeOf("/proc/self/ns/net")
	}
	return elsewhere
}

// inodeOf returns the inode of a file, or 0 if it can't be read.
func inodeOf(path string) uint64 {
	info, err := os.Stat(path)
	if err != nil {
		return 0
	}
	return info.Sys().(*syscall.Stat_t).Ino
}
