package daemon

import (
	"os"
	"runtime"
	"runtime/debug"
)

// gcHeadroom is how many bytes the heap may grow between two collections. A share of the heap
// would waste memory with a large configuration, and time with a small one: checks leave little to collect.
const gcHeadroom = 8 << 20

// Bounds of that growth, in percent of the heap.
const (
	minGCPercent = 40
	maxGCPercent = 400
)

// StartLean keeps memory small while a file is read. GOGC, where it is set, says otherwise.
func StartLean() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(minGCPercent)
	}
}

// settleMemory gives back the memory that reading a file took. From now on the heap may grow by about gcHeadroom
// between two collections.
func settleMemory() {
	debug.FreeOSMemory()
	if os.Getenv("GOGC") != "" {
		return
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	debug.SetGCPercent(min(max(int(gcHeadroom*100/m.HeapAlloc), minGCPercent), maxGCPercent))
}
