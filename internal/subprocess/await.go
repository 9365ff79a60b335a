package subprocess

import (
	"context"
	"fmt"
	"os"
	"strings"
	"syscall"
	"time"
)

const (
	// Patience is the most by which a program may exceed its limit on a busy machine.
	Patience = 5 * time.Second
	// lookEvery is the time until the first look at a program, and between two looks when it is over its limit.
	lookEvery = 20 * time.Millisecond
	// maxDepth is the number of generations of processes that are looked at.
	maxDepth = 8
)

// Await waits for the result of a process. When ctx is done first, it returns the cause. At the limit it returns a
// *TimeoutError. Time that the process and its descendants spend waiting for a processor does not count toward the
// limit, up to a total of Patience. Await reads the usage of the process only if the result takes longer than
// lookEvery.
func Await[T any](ctx context.Context, done <-chan T, pid int, limit time.Duration) (what T, err error) {
	began, rest := time.Now(), min(limit, lookEvery)
	var before usage
	for looked := false; ; looked = true {
		select {
		case what = <-done:
			return what, nil
		case <-ctx.Done():
			select {
			case what = <-done: // otherwise the caller might kill another process that has this pid by now
				return what, nil
			default:
				return what, context.Cause(ctx)
			}
		case <-time.After(rest):
		}
		if !looked {
			before, _ = used(pid)
			before.ran, before.waited = max(0, before.ran-rest), max(0, before.waited-rest)
			rest = limit - rest
			continue
		}
		waited := lacked(pid, before, limit, maxDepth)
		if time.Since(began)-limit >= min(waited, Patience) {
			return what, &TimeoutError{limit, waited >= Patience}
		}
		rest = lookEvery
	}
}

// usage is the time for which a process ran, and the time for which it waited for a processor.
type usage struct{ ran, waited time.Duration }

// used returns the usage of a process since its start, if the kernel reports it.
func used(pid int) (u usage, ok bool) {
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/schedstat", pid))
	n, _ := fmt.Sscan(string(text), &u.ran, &u.waited)
	return u, n == 2
}

// lacked returns how long a process has waited for a processor, not counting the usage in before. It adds the time of
// the child that waited longest, computed in the same way. It returns at least Patience if one of these processes is
// runnable and has run for less than the limit, or if the process itself has ended and its end is not noticed yet. It
// returns 0 if the kernel does not report usage.
func lacked(pid int, before usage, limit time.Duration, depth int) time.Duration {
	if depth == maxDepth && syscall.Kill(pid, 0) == syscall.ESRCH {
		return Patience
	}
	u, ok := used(pid)
	if !ok || depth == 0 {
		return 0
	}
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	in := func(state string) bool { return strings.Contains(string(text), ") "+state+" ") }
	if u.ran-before.ran < limit && in("R") || depth == maxDepth && in("Z") {
		return Patience
	}
	var longest time.Duration
	for _, child := range children(pid) {
		longest = max(longest, lacked(child, usage{}, limit, depth-1))
	}
	return u.waited - before.waited + longest
}
