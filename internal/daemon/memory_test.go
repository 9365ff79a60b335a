package daemon

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// TestReleaseProgram releases the pages of the running program. They are read again when they are needed.
func TestReleaseProgram(t *testing.T) {
	before := programInMemory(t)
	releaseProgram()
	after := programInMemory(t)
	if before == 0 || after > before*9/10 {
		t.Errorf("the program takes %d kB of memory, before %d kB", after, before)
	}
}

// programInMemory is how much of the program's file is in memory, in kB.
func programInMemory(t *testing.T) (sum int) {
	t.Helper()
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Skip(err)
	}
	for line := range strings.Lines(string(text)) {
		_, _ = fmt.Sscanf(line, "RssFile: %d kB", &sum)
	}
	return sum
}
