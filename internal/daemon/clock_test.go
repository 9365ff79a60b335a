package daemon

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"ldirectord/internal/notify"
	"ldirectord/internal/testkit"
)

// A jump of the clock is reported in one line. If the machine stood still between the readings of the two clocks,
// that is not a jump.
func TestAJumpOfTheClockIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began, set, late := time.Now().Add(-time.Hour), time.Duration(0), false
		boot := func() time.Duration { // goes back instead of the wall clock forward, which is the bubble's
			since := time.Since(began) - set
			if late {
				time.Sleep(time.Minute)
			}
			return since
		}
		var reported []string
		d := &daemon{channels: channels{journal: notify.NewJournal(
			func(e notify.Event) { reported = append(reported, e.Text) })}}
		ahead := wallClock() - boot()
		for _, by := range []time.Duration{0, time.Second, 3 * time.Hour, 0, -90 * time.Minute} {
			time.Sleep(pollInterval)
			set += by
			ahead = d.followClock(ahead, boot)
		}
		late = true
		ahead = d.followClock(ahead, boot)
		late = false
		testkit.Equal(t, d.followClock(ahead, boot), ahead, "put by")
		testkit.OK(t, d.journal.Close(context.Background()))
		want := []string{"The clock was set forward by 3h0m1s", "The clock was set back by 1h30m0s"}
		testkit.Same(t, reported, want)
	})
}
