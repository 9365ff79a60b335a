package core

import (
	"testing"
	"testing/synctest"
	"time"

	"ldirectord/internal/lvs"
)

// The end of an interval counts, not the number of readings: the table is also read when another daemon comes or goes.
func TestALimitIsToldAfterAWholeInterval(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := lvs.Dest{Upper: 4, Weight: 1}
		var l limit
		for _, step := range []struct {
			after       time.Duration
			connections uint32
			turned      bool
		}{
			{0, 4, false},
			{500 * time.Millisecond, 4, false},
			{500 * time.Millisecond, 4, true},
			{time.Second, 4, false},
			{time.Second, 2, false},
			{500 * time.Millisecond, 4, false}, // the interval begins again
			{500 * time.Millisecond, 2, false},
			{500 * time.Millisecond, 2, false},
			{500 * time.Millisecond, 2, true},
		} {
			time.Sleep(step.after)
			if turned := l.look(d, step.connections, time.Now(), time.Second); turned != step.turned {
				t.Errorf("%+v: turned %t", step, turned)
			}
		}
	})
}
