package instance

import (
	"net/netip"
	"testing"
	"time"

	"ldirectord/ipvsctl"
	"ldirectord/lvs"
	"ldirectord/run"
)

// Who left the configuration is known to the next daemon, also after a clean end. The time that is left is kept by a clock
// that nobody sets.
func TestWhoLeavesOverTheEnd(t *testing.T) {
	for _, phase := range []Phase{Running, Ending} {
		i := daemonOf(t.TempDir(), "/x.cf")
		first := acquire(t, i)
		if first.Before.Leavers != nil {
			t.Errorf("at the first start: %v", first.Before.Leavers)
		}
		who := ipvsctl.Leaver{
			Key:  lvs.Key{Protocol: lvs.TCP, Addr: netip.MustParseAddrPort("10.1.0.1:80")},
			Addr: netip.MustParseAddrPort("10.2.0.1:80"), Name: "10.2.0.1:8080", Until: time.Now().Add(time.Minute), Stays: true,
		}
		if err := first.Update(func(s *State) { s.SetLeavers([]ipvsctl.Leaver{who}); s.Phase = phase }); err != nil {
			t.Fatal(err)
		}
		giveBack(first)
		kept, err := readState(first.State)
		if err != nil {
			t.Fatal(err)
		}
		if left := time.Duration(kept.Leavers[0].Until.UnixNano()) - run.SinceBoot(); (left - time.Until(who.Until)).Abs() > time.Second {
			t.Errorf("the file has %v, which is %v from now since the boot", kept.Leavers[0].Until, left)
		}
		for range 2 { // also one that is killed before it has recorded anything
			now := acquire(t, i)
			if len(now.Before.Leavers) != 1 {
				t.Fatalf("the next daemon knows %v", now.Before.Leavers)
			}
			left := now.Before.Leavers[0].Until.Sub(who.Until)
			now.Before.Leavers[0].Until = who.Until
			if now.Before.Leavers[0] != who || left.Abs() > time.Second {
				t.Errorf("the next daemon knows %+v, %v too long", now.Before.Leavers[0], left)
			}
			giveBack(now)
		}
	}
}
