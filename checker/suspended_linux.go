package checker

import (
	"time"

	"golang.org/x/sys/unix"
)

// suspended is how long the machine has been suspended since its boot: what CLOCK_BOOTTIME counts and
// CLOCK_MONOTONIC does not (clock_gettime(2)).
func suspended() time.Duration {
	var all, awake unix.Timespec
	if unix.ClockGettime(unix.CLOCK_BOOTTIME, &all) != nil || unix.ClockGettime(unix.CLOCK_MONOTONIC, &awake) != nil {
		return 0
	}
	return time.Duration(all.Nano() - awake.Nano())
}
