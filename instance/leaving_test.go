package instance

import (
	"encoding/json"
	"net/netip"
	"os"
	"testing"
	"time"

	"ldirectord/ipvsctl"
)

// Who left the configuration is known to the next daemon, also after a clean end, and the time that is left stays the same
// when the clock is set meanwhile.
func TestWhoLeavesOverTheEnd(t *testing.T) {
	for _, set := range []time.Duration{0, time.Hour, -time.Hour} {
		for _, phase := range []Phase{Running, Ending} {
			i := daemonOf(t.TempDir(), "/x.cf")
			before := acquire(t, i)
			if before.Leavers != nil {
				t.Errorf("at the first start: %v", before.Leavers)
			}
			who := ipvsctl.Leaver{
				Key:  ipvsctl.Key{Protocol: ipvsctl.TCP, Addr: netip.MustParseAddrPort("10.1.0.1:80")},
				Addr: netip.MustParseAddrPort("10.2.0.1:80"), Name: "10.2.0.1:8080", Until: time.Now().Add(time.Minute),
			}
			if err := before.SetLeavers([]ipvsctl.Leaver{who}); err != nil {
				t.Fatal(err)
			}
			if err := before.SetPhase(phase); err != nil {
				t.Fatal(err)
			}
			giveBack(before)
			setClock(t, before.State, set)
			for range 2 { // also one that is killed before it has recorded anything
				now := acquire(t, i)
				if len(now.Leavers) != 1 {
					t.Fatalf("the next daemon knows %v", now.Leavers)
				}
				left := now.Leavers[0].Until.Sub(who.Until) - set
				now.Leavers[0].Until = who.Until
				if now.Leavers[0] != who || left.Abs() > time.Second {
					t.Errorf("clock %v: the next daemon knows %+v, %v too long", set, now.Leavers[0], left)
				}
				giveBack(now)
			}
		}
	}
}

// setClock makes a state one of a time before the clock was set ahead.
func setClock(t *testing.T, path string, ahead time.Duration) {
	t.Helper()
	s, err := readState(path)
	if err != nil {
		t.Fatal(err)
	}
	s.Booted = s.Booted.Add(-ahead)
	text, err := json.Marshal(s)
	if err == nil {
		err = os.WriteFile(path, text, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}
