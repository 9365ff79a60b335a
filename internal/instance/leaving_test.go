package instance

import (
	"encoding/json"
	"net/netip"
	"os"
	"testing"
	"time"

	"ldirectord/internal/judge"
	"ldirectord/internal/lvs"
	"ldirectord/internal/runfile"
	"ldirectord/internal/testkit"
)

// endsIn is what a daemon has recorded that ends in a phase, after a change.
func endsIn(t *testing.T, l *Lock, phase Phase, change func(*State)) State {
	t.Helper()
	testkit.OK(t, l.Update(func(s *State) { change(s); s.Phase = phase }))
	giveBack(l)
	kept := Kept(nil).read(l.State)
	testkit.Equal(t, kept.Format, format)
	return kept
}

// The next daemon knows the servers that have left the configuration, also after a clean end. The rest of their time
// is kept by a clock that can't be set.
func TestWhoLeavesOverTheEnd(t *testing.T) {
	for _, phase := range []Phase{Running, Ending} {
		i := aDaemon(t)
		first := acquire(t, i)
		testkit.Same(t, first.Before.Departing, []judge.Record{}, "at the first start")
		who := judge.Record{
			Key:  lvs.Key{Protocol: lvs.TCP, Addr: netip.MustParseAddrPort("10.1.0.1:80")},
			Addr: netip.MustParseAddrPort("10.2.0.1:80"), Name: "10.2.0.1:8080",
			Until: time.Now().Add(time.Minute), Stays: true,
		}
		kept := endsIn(t, first, phase, func(s *State) { s.SetDeparting([]judge.Record{who}) })
		left := time.Duration(kept.Departing[0].Until.UnixNano()) - runfile.SinceBoot()
		if off := left - time.Until(who.Until); off.Abs() > time.Second {
			t.Errorf("the file has %v, which is %v from now since the boot", kept.Departing[0].Until, left)
		}
		for range 2 { // the first one is killed before it has recorded anything
			now := acquire(t, i)
			if len(now.Before.Departing) != 1 {
				t.Fatalf("the next daemon knows %v", now.Before.Departing)
			}
			left := now.Before.Departing[0].Until.Sub(who.Until)
			now.Before.Departing[0].Until = who.Until
			if now.Before.Departing[0] != who || left.Abs() > time.Second {
				t.Errorf("the next daemon knows %+v, %v too long", now.Before.Departing[0], left)
			}
			giveBack(now)
		}
	}
}

// The next daemon also knows the state of moving weights, by the same clock. After a boot this is discarded.
func TestWhatMovesWeightsOverTheEnd(t *testing.T) {
	for _, phase := range []Phase{Running, Ending} {
		i := aDaemon(t)
		first := acquire(t, i)
		since := time.Now().Add(-18 * time.Second)
		moves := judge.Record{
			Key:  lvs.Key{Protocol: lvs.TCP, Addr: netip.MustParseAddrPort("10.1.0.1:80")},
			Addr: netip.MustParseAddrPort("10.2.0.1:80"), Weight: 3, Of: 40,
			Memory: judge.Memory{Climbs: since, FellFirst: since},
		}
		rests := moves
		rests.Memory = judge.Memory{}
		kept := endsIn(t, first, phase, func(s *State) { s.SetMoving([]judge.Record{moves, rests}) })
		for _, at := range []time.Time{kept.Moving[0].Climbs, kept.Moving[0].FellFirst} {
			ago := runfile.SinceBoot() - time.Duration(at.UnixNano())
			if (ago - 18*time.Second).Abs() > time.Second {
				t.Errorf("by the file it began %v ago", ago)
			}
		}
		for range 2 { // the first one is killed before it has recorded anything
			now := acquire(t, i)
			if len(now.Before.Moving) != 2 {
				t.Fatalf("the next daemon knows %v", now.Before.Moving)
			}
			m := now.Before.Moving[0]
			later := max(m.Climbs.Sub(since), m.FellFirst.Sub(since))
			if m.Climbs, m.FellFirst = since, since; m != moves || later.Abs() > time.Second ||
				now.Before.Moving[1] != rests {
				t.Errorf("the next daemon knows %+v, %v later", now.Before.Moving, later)
			}
			giveBack(now)
		}
		kept.Boot = "another"
		text := testkit.Must(json.Marshal(kept))(t)
		testkit.OK(t, os.WriteFile(first.State, text, 0o644))
		now := acquire(t, i)
		testkit.Same(t, now.Before.Moving, []judge.Record{}, "after another boot")
		giveBack(now)
	}
}
