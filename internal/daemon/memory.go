package daemon

import (
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"strings"

	"golang.org/x/sys/unix"
)

// gcHeadroom is the number of bytes by which the heap may grow between two collections. It is not a percentage, which
// would waste memory with a large configuration and time with a small one, because checks leave little to collect.
const gcHeadroom = 3 << 20

// Limits of the heap's growth between two collections, in percent. At the upper limit a small heap grows to 2 MB,
// because Go starts the first collection when the heap has reached that percentage of 4 MB.
const (
	minGCPercent = 20
	maxGCPercent = 50
)

// StartLean keeps the heap small while a file is read, unless GOGC is set.
func StartLean() { collectAt(minGCPercent) }

// collectAt sets the percentage by which the heap may grow between two collections, and returns the previous one. It
// does nothing if GOGC is set.
func collectAt(percent int) (before int) {
	if os.Getenv("GOGC") != "" {
		return 0
	}
	return debug.SetGCPercent(percent)
}

// settleMemory gives the system back the memory that was needed to read a file. It then lets the heap grow by about
// gcHeadroom between two collections.
func settleMemory() {
	debug.FreeOSMemory()
	releaseProgram()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	collectAt(min(max(int(gcHeadroom*100/m.HeapAlloc), minGCPercent), maxGCPercent))
}

// releaseProgram returns the pages of the program itself to the system, because most of them were only needed at the
// start. When such a page is used again, the kernel maps it from its cache of the file. Mappings with modified pages
// are left alone, because these pages differ from the file.
func releaseProgram() {
	program, err := os.Readlink("/proc/self/exe")
	if err != nil {
		return
	}
	mappings, err := os.ReadFile("/proc/self/smaps")
	if err != nil {
		return
	}
	var from, size uintptr // of the last mapping of the program
	for line := range strings.Lines(string(mappings)) {
		var first, end uintptr
		var mode string
		if n, _ := fmt.Sscanf(line, "%x-%x %s", &first, &end, &mode); n == 3 {
			from, size = first, 0
			if (mode == "r-xp" || mode == "r--p") && strings.HasSuffix(line, " "+program+"\n") {
				size = end - first
			}
		}
		if f := strings.Fields(line); size > 0 && f[0] == "Anonymous:" && f[1] == "0" {
			_, _, _ = unix.Syscall(unix.SYS_MADVISE, from, size, unix.MADV_DONTNEED) // else the pages stay
		}
	}
}
