package core

import (
	"errors"
	"slices"
	"testing"
	"time"

	"ldirectord/internal/lvs"
	"ldirectord/internal/maintenance"
	"ldirectord/ipvsctl"
)

// A daemon that finds the last daemon's addresses changes nothing until it knows which of them it wants: otherwise it
// would withdraw them.
func TestAddressesOfTheDaemonBeforeStay(t *testing.T) {
	w := newWorld(t, func(before *World) { before.Withdraw = true })
	w.slow = true
	known := false
	look := func() {
		w.pending()
		if w.wanted != nil && slices.ContainsFunc(*w.wanted,
			func(o lvs.Wanted) bool { return !o.Undecided && (!known || o.Device != "lvs0") }) {
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

// While the first orders for addresses fail, a virtual service of the daemon before may have an address on a device, so
// it stays; but not forever.
func TestAFailedOrderForAddressesIsNoSignThatTheyAreGone(t *testing.T) {
	for _, row := range []struct {
		what    string
		err     error
		after   time.Duration
		removed bool
	}{
		{"it succeeds", nil, time.Second, true},
		{"it fails", errors.New("no answer"), announceTimeout - time.Second, false},
		{"it fails for long", errors.New("no answer"), announceTimeout + 2*time.Second, true},
	} {
		former := keyOf(t, web(2))
		w := newWorld(t, func(before *World) { before.Former, before.Withdraw = []lvs.Key{former}, true })
		w.memory = memory{ipvsctl.NewMemory(lvs.Table{former: {Key: former}})}
		w.slow = true
		w.e, _ = w.Begin(w.now, w, w.file(web(1)), maintenance.Reading{})
		w.pending()
		for end := w.now.Add(row.after); w.now.Before(end); w.pass(100 * time.Millisecond) {
			if w.wanted != nil {
				w.wanted = nil
				w.Placed(w.now, nil, row.err)
				w.step()
			}
		}
		have, _ := w.memory.Read(time.Second)
		if _, there := have[former]; there == row.removed {
			t.Errorf("%s: after %v it is there: %t", row.what, row.after, there)
		}
	}
}
