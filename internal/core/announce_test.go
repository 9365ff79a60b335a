package core

import (
	"slices"
	"testing"
	"time"

	"ldirectord/internal/lvs"
	"ldirectord/internal/maintenance"
)

// A daemon that finds the last daemon's addresses changes nothing until it knows which of them it wants: otherwise it
// would withdraw them.
func TestAddressesOfTheDaemonBeforeStay(t *testing.T) {
	w := newWorld(t, func(before *World) { before.Withdraw = true })
	w.slow = true
	known := false
	look := func() {
		w.pending()
		if w.wanted != nil && slices.ContainsFunc(*w.wanted, func(o lvs.Wanted) bool { return !o.Undecided && (!known || o.Device != "lvs0") }) {
			t.Errorf("the first result is there: %t; wanted are %+v", known, *w.wanted)
		}
		w.perform()
	}
	w.e, _ = w.Begin(w.now, w, w.file("announce = lvs0\n"+web(1)), maintenance.Reading{})
	look()
	w.step()
	look()
	for _, server := range []string{"10.2.0.1:80", "10.2.0.2:80"} {
		known = true
		w.results(true, server)
		look()
	}
	w.pass(time.Minute)
	if got := w.Snapshot(w.now).Announcements[0]; got.State != "announced" || got.On != "lvs0" {
		t.Errorf("%+v", got)
	}
}
