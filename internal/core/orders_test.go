package core

import (
	"maps"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"ldirectord/internal/lvs"
	"ldirectord/internal/orders"
	"ldirectord/internal/runfile"
)

// An order for two hours lasts two hours by the boot clock, however the wall clock is set. The wall clock of this test
// is a fake one, so every sleep sets it forward against the boot clock.
func TestAnOrderForATimeFollowsTheBootClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		at := func(real string) lvs.Backend { return lvs.At("tcp:10.1.0.1:80", real) }
		set, over, wall := at("10.2.0.1:80"), at("10.2.0.2:80"), at("10.2.0.3:80")
		given := orders.All{
			set: {Kind: orders.Maint, Until: time.Now().Add(2 * time.Hour), Ends: runfile.SinceBoot() +
				2*time.Hour},
			// set back by ten hours
			over: {Kind: orders.Maint, Until: time.Now().Add(10 * time.Hour),
				Ends: runfile.SinceBoot() - 1},
			wall: {Kind: orders.Maint, Until: time.Now().Add(2 * time.Hour)},
		}
		w := newWorld(t, func(before *World) { before.Orders = given })
		w.now = time.Now()
		w.begin(web(1) + real(3))
		left := func(want ...lvs.Backend) {
			t.Helper()
			held := w.Snapshot(w.now).Orders
			if len(held) != len(want) ||
				slices.ContainsFunc(want,
					func(at lvs.Backend) bool { return held[at].Kind != orders.Maint }) {
				t.Errorf("after %v: %v, want %v", time.Since(w.now), slices.Collect(maps.Keys(held)),
					want)
			}
		}
		for _, wait := range []time.Duration{time.Minute, time.Hour, 3 * time.Hour} {
			time.Sleep(wait)
			w.pass(wait)
			if want := []lvs.Backend{set, wall}; wait < 3*time.Hour {
				left(want...)
			}
		}
		left(set)
		w.Order(w.now, given, nil) // the sender of orders doesn't know yet which ended
		left(set)
		if end := time.Until(w.Snapshot(w.now).Orders[set].End()); end < time.Hour || end > 2*time.Hour+
			time.Second {
			t.Errorf("the order for two hours ends in %v", end)
		}
	})
}
