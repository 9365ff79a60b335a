package runfile

import (
	"context"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Pause waits for the duration d. It returns false if ctx is done first.
func Pause(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}

// SinceBoot returns the time since boot according to a clock that all processes share and nobody can set.
func SinceBoot() time.Duration {
	var t unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_BOOTTIME, &t) // 0 if it fails
	return time.Duration(t.Nano())
}

// BootID returns a string that identifies this boot, or "" if unknown.
func BootID() string {
	text, _ := ReadFile("/proc/sys/kernel/random/boot_id", 64)
	return strings.TrimSpace(string(text))
}
