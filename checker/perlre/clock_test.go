package perlre

import (
	"testing"
	"time"
)

// What others do with the processor, or nobody, is not spent.
func TestClockStandsStillWhileOthersHaveTheProcessor(t *testing.T) {
	const pause = 50 * time.Millisecond
	c := startClock()
	time.Sleep(pause)
	if spent := c.stop(); spent > pause/2 {
		t.Errorf("%v of %v", spent, pause)
	}
}
