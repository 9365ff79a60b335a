package protocol

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
)

// oomCounter is the path of a file in which the kernel counts the processes that it killed because memory was short:
// /proc/vmstat for the machine, or the memory.events of a control group.
type oomCounter string

// ownCounter returns the counter of this process. It is found once, because a reload makes many checks at once.
var ownCounter = sync.OnceValue(func() oomCounter { return oomCounterBelow("/") })

// oomCounterBelow returns the counter of our control group, such as a container's. If that can't be read, it returns
// the counter of the machine. root is prefixed to every path.
func oomCounterBelow(root string) oomCounter {
	groups, _ := os.ReadFile(root + "/proc/self/cgroup")
	_, group, _ := strings.Cut("\n"+string(groups), "\n0::") // see cgroups(7)
	group, _, _ = strings.Cut(group, "\n")
	own := oomCounter(filepath.Join(root, "/sys/fs/cgroup", group, "memory.events"))
	if own.kills() >= 0 {
		return own
	}
	return oomCounter(filepath.Join(root, "/proc/vmstat"))
}

// kills returns how many processes the kernel has killed. It returns -1 if that can't be read.
func (c oomCounter) kills() (count int64) {
	text, _ := os.ReadFile(string(c))
	_, rest, _ := strings.Cut(string(text), "\noom_kill ")
	if _, err := fmt.Sscan(rest, &count); err != nil {
		return -1
	}
	return count
}
