package perlre

import (
	"runtime"
	"time"

	"golang.org/x/sys/unix"
)

// clock measures the processor time of one goroutine, which it locks to a thread until stop is called. Unlike a wall
// clock, it stops while other threads have the processor.
type clock struct{ begin time.Duration }

func startClock() clock {
	runtime.LockOSThread()
	return clock{threadTime()}
}

func (c clock) read() time.Duration { return threadTime() - c.begin }

// stop adds the measured time to spent.
func (c clock) stop(spent *time.Duration) {
	*spent += c.read()
	runtime.UnlockOSThread()
}

func threadTime() time.Duration {
	var t unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &t) // every current kernel has it
	return time.Duration(t.Nano())
}
