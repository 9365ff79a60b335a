package protocol

import (
	"fmt"
	"os"
	"strings"
)

// vmstat is the path of a file like /proc/vmstat.
type vmstat string

// oomKills returns how many processes the kernel has killed since boot because memory was short, on the machine or in a
// control group. It returns -1 if that can't be read.
func (f vmstat) oomKills() (count int64) {
	text, _ := os.ReadFile(string(f))
	_, rest, _ := strings.Cut(string(text), "\noom_kill ")
	if _, err := fmt.Sscan(rest, &count); err != nil {
		return -1
	}
	return count
}
