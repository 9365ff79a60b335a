package daemon

import (
	"time"

	"ldirectord/internal/notify"
)

// clockSet is the smallest jump of the clock that is reported.
const clockSet = 2 * time.Second

func wallClock() time.Duration { return time.Duration(time.Now().UnixNano()) }

// followClock reports an event if someone has set the wall clock. The difference between the wall clock and the time
// since boot changes only then. followClock returns this difference after a report, and otherwise the former one, the
// argument was. So small jumps add up until they are reported.
func (d *daemon) followClock(was time.Duration, boot func() time.Duration) time.Duration {
	since := boot()
	ahead := wallClock() - since
	stoodStill := boot()-since > clockSet/2 // the process was suspended between the two looks
	if by := ahead - was; by.Abs() > clockSet && !stoodStill {
		way := map[bool]string{true: "forward", false: "back"}[by > 0]
		d.say(notify.ClockSet, "The clock was set %s by %v", way, by.Abs().Round(time.Second))
		return ahead
	}
	return was
}
