package daemon

import (
	"fmt"
	"time"

	"ldirectord/notify"
)

// clockSet is the smallest jump of the clock that is told.
const clockSet = 2 * time.Second

func wallClock() time.Duration { return time.Duration(time.Now().UnixNano()) }

// followClock tells when the wall clock was set. It returns by how much that is ahead of the boot's, which was
// the same as before where it was not set.
func (d *daemon) followClock(was time.Duration, boot func() time.Duration) time.Duration {
	since := boot()
	ahead := wallClock() - since
	stoodStill := boot()-since > clockSet/2 // between the two
	if by := ahead - was; by.Abs() > clockSet && !stoodStill {
		way := map[bool]string{true: "forward", false: "back"}[by > 0]
		d.say(notify.ClockSet, fmt.Sprintf("The clock was set %s by %v", way, by.Abs().Round(time.Second)))
		return ahead
	}
	return was
}
