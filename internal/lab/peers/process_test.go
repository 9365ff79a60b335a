package peers

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ldirectord/internal/testkit"
)

// usage is what a process and its descendants have used.
type usage struct {
	cpu time.Duration // the run time that the kernel counts, to the nanosecond
	rss int           // bytes in memory
}

// used adds up the processes that live. keepalived has two of them.
func used(t *testing.T, pid int) (sum usage) {
	t.Helper()
	for _, p := range descendants(t, pid) {
		var run unix.Timespec
		processClock := int32(^p<<3 | 2) // clock_getcpuclockid(3)
		testkit.OK(t, unix.ClockGettime(processClock, &run), "the run time of process", p)
		sum.cpu += time.Duration(run.Nano())
		sum.rss += field(t, fmt.Sprintf("/proc/%d/status", p), "VmRSS:") * 1024
	}
	return sum
}

// descendants are a process, its children and theirs.
func descendants(t *testing.T, pid int) []int {
	t.Helper()
	children := map[int][]int{}
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, path := range stats {
		stat, err := os.ReadFile(path)
		if err != nil {
			continue // it has ended
		}
		after := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:])) // state, parent …
		parent, _ := strconv.Atoi(after[1])
		child, _ := strconv.Atoi(filepath.Base(filepath.Dir(path)))
		children[parent] = append(children[parent], child)
	}
	found := []int{pid}
	for i := 0; i < len(found); i++ {
		found = append(found, children[found[i]]...)
	}
	return found
}

// field is the number after a name in a file of /proc.
func field(t *testing.T, path, name string) int {
	t.Helper()
	text := testkit.Read(t, path)
	_, rest, _ := strings.Cut(text, name)
	words := strings.Fields(rest)
	if len(words) == 0 {
		t.Fatalf("%s has no %s", path, name)
	}
	return testkit.Must(strconv.Atoi(words[0]))(t)
}

// echoes is how many echo requests the kernel of this network namespace has received.
func echoes(t *testing.T) int {
	t.Helper()
	text := testkit.Read(t, "/proc/net/snmp")
	var lines [][]string
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "Icmp:") {
			lines = append(lines, strings.Fields(line))
		}
	}
	for i, name := range lines[0] {
		if name == "InEchos" {
			n, _ := strconv.Atoi(lines[1][i])
			return n
		}
	}
	t.Fatal("/proc/net/snmp has no InEchos")
	return 0
}
