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

// The next daemon knows the servers that have left the configuration and the state of moving weights, also after a
// clean end. Times are kept by a clock that can't be set. After a boot the weights are discarded.
func TestWhatIsKnownOverTheEnd(t *testing.T) {
	for _, phase := range []Phase{Running, Ending} {
		i := aDaemon(t)
		first := acquire(t, i)
		testkit.Same(t, first.Before.Departing, []judge.Record{}, "at the first start")
		rests := judge.Record{
			Key:  lvs.Key{Protocol: lvs.TCP, Addr: netip.MustParseAddrPort("10.1.0.1:80")},
			Addr: netip.MustParseAddrPort("10.2.0.1:80"), Weight: 3, Of: 40,
		}
		leaves, moves, since := rests, rests, time.Now().Add(-18*time.Second)
		leaves.Name, leaves.Until, leaves.Stays = "10.2.0.1:8080", time.Now().Add(time.Minute), true
		moves.Memory = judge.Memory{Climbs: since, FellFirst: since}
		testkit.OK(t, first.Update(func(s *State) {
			s.SetDeparting([]judge.Record{leaves})
			s.SetMoving([]judge.Record{moves, rests})
			s.Phase = phase
		}))
		giveBack(first)
		kept := Kept(nil).read(first.State)
		testkit.Equal(t, kept.Format, format)
		for at, want := range map[*time.Time]time.Time{&kept.Departing[0].Until: leaves.Until,
			&kept.Moving[0].Climbs: since, &kept.Moving[0].FellFirst: since} {
			left := time.Duration(at.UnixNano()) - runfile.SinceBoot()
			if off := left - time.Until(want); off.Abs() > time.Second {
				t.Errorf("the file has %v, which is %v from now since the boot", at, left)
			}
		}
		for range 2 { // the first one is killed before it has recorded anything
			now := acquire(t, i)
			departing, moving := now.Before.Departing, now.Before.Moving
			if len(departing) != 1 || len(moving) != 2 {
				t.Fatalf("the next daemon knows %v, %v", departing, moving)
			}
			for at, want := range map[*time.Time]time.Time{&departing[0].Until: leaves.Until,
				&moving[0].Climbs: since, &moving[0].FellFirst: since} {
				if off := at.Sub(want); off.Abs() > time.Second {
					t.Errorf("the next daemon has %v, %v too late", at, off)
				}
				*at = want
			}
			testkit.Equal(t, departing[0], leaves)
			testkit.Same(t, moving, []judge.Record{moves, rests})
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
