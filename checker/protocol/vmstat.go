package protocol

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// vmstat is the path of a file like /proc/vmstat.
type vmstat string

// ownKills returns the file that counts the killed processes of our control group (memory.events), as in a container.
// Without such a file it returns that of the machine. root is the folder of all paths.
func ownKills(root string) vmstat {
	groups, _ := os.ReadFile(root + "/proc/self/cgroup")
	_, group, _ := strings.Cut("\n"+string(groups), "\n0::") // see cgroups(7)
	group, _, _ = strings.Cut(group, "\n")
	own := vmstat(filepath.Join(root, "/sys/fs/cgroup", group, "memory.events"))
	if own.oomKills() >= 0 {
		return own
	}
	return vmstat(filepath.Join(root, "/proc/vmstat"))
}

// oomKills returns how many processes the kernel has killed because memory was short, on the machine or in a control
// group. It returns -1 if that can't be read.
func (f vmstat) oomKills() (count int64) {
	text, _ := os.ReadFile(string(f))
	_, rest, _ := strings.Cut(string(text), "\noom_kill ")
	if _, err := fmt.Sscan(rest, &count); err != nil {
		return -1
	}
	return count
}
