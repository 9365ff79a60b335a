package program

import (
	"context"
	"fmt"
	"os"
	"strings"
	"syscall"
	"time"
)

const (
	// Patience bounds how much more than its limit a program gets on a busy machine.
	Patience = 5 * time.Second
	// lookEvery is the time between two looks at a program that is above its limit.
	lookEvery = 20 * time.Millisecond
	// maxDepth bounds how deep descendants are looked for.
	maxDepth = 8
)

// Await waits for what a process does, until ctx is done, or the limit: a TimeoutError. The time in which the process
// and its descendants waited for a processor does not count, but for what is above Patience.
func Await[T any](ctx context.Context, done <-chan T, pid int, limit time.Duration) (what T, err error) {
	began, rest := time.Now(), limit
	for {
		select {
		case what = <-done:
			return what, nil
		case <-ctx.Done():
			return what, context.Cause(ctx)
		case <-time.After(rest):
		}
		waited := lacked(pid, limit, maxDepth)
		if time.Since(began)-limit >= min(waited, Patience) {
			return what, &TimeoutError{limit, waited >= Patience}
		}
		rest = lookEvery
	}
}

// lacked is how long a process and its descendants, one after the other, waited for a processor; Patience if one still
// does. A process that ran for the whole limit waits for nothing; one that has ended waits until that is noticed. 0
// where the kernel does not say.
func lacked(pid int, limit time.Duration, depth int) (waited time.Duration) {
	if depth == maxDepth && syscall.Kill(pid, 0) == syscall.ESRCH {
		return Patience
	}
	var ran, longest time.Duration
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/schedstat", pid))
	if n, _ := fmt.Sscan(string(text), &ran, &waited); n < 2 || depth == 0 {
		return 0
	}
	text, _ = os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	in := func(state string) bool { return strings.Contains(string(text), ") "+state+" ") }
	if ran < limit && in("R") || depth == maxDepth && in("Z") {
		return Patience
	}
	for _, child := range children(pid) {
		longest = max(longest, lacked(child, limit, depth-1))
	}
	return waited + longest
}
