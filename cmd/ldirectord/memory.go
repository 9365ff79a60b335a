package main

import (
	"os"
	"runtime"
	"runtime/debug"
)

// garbage is how much of it may lie about before it is collected: checks leave little of it, so that a
// share of a large configuration would be memory wasted, and one of a small one time.
const garbage = 8 << 20

// Bounds of the share of garbage, in percent of what is in use.
const (
	leastGarbage = 40
	mostGarbage  = 400
)

// startLean keeps memory small while a file is read. GOGC, where it is set, says otherwise.
func startLean() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(leastGarbage)
	}
}

// settleMemory gives back what reading a file took, and has garbage collected in steps of about that
// size from now on.
func settleMemory() {
	debug.FreeOSMemory()
	if os.Getenv("GOGC") != "" {
		return
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	debug.SetGCPercent(min(max(int(garbage*100/m.HeapAlloc), leastGarbage), mostGarbage))
}
