package perlre

import (
	"testing"
	"time"
)

// The clock measures the processor time of the match, without that of other threads or of an idle processor.
func TestClockStandsStillWhileOthersHaveTheProcessor(t *testing.T) {
	const pause = 50 * time.Millisecond
	c := startClock()
	time.Sleep(pause)
	if spent := c.read(); spent > pause/2 {
		t.Errorf("%v of %v", spent, pause)
	}
}
