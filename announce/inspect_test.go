package announce

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"
)

func TestInspect(t *testing.T) {
	f, dir := newFake(), t.TempDir()
	gone, runs := f.announcer(t, dir, "www.cf"), f.announcer(t, dir, "mail.cf")
	syncLine(t, gone, f, []string{"192.0.2.10=lvs0"})
	syncLine(t, runs, f, []string{"192.0.2.11=lvs0", "192.0.2.12=lvs1"})
	kill(gone)
	f.byHand(netip.MustParseAddr("192.0.2.11"), "eth0")
	f.set("lvs1", false)
	want := []Want{wantOf("192.0.2.11=lvs0"), wantOf("192.0.2.12=lvs1")}
	want[1].Devices = append(want[1].Devices, "lvs2", "eth0")
	found, err := f.announcer(t, dir, "other.cf").Inspect(want)
	var got []string
	for _, p := range found {
		got = append(got, fmt.Sprint(p.Addr, " ", p.Device, " ", p.Trouble))
	}
	slices.Sort(got)
	expected := []string{
		"192.0.2.10 lvs0 was announced by a daemon that does not run any more",
		"192.0.2.11 eth0 is on this device too",
		"invalid IP eth0 device eth0 is not a dummy device",
		"invalid IP lvs1 device lvs1 is down",
		"invalid IP lvs2 device lvs2 is missing",
	}
	if err != nil || !slices.Equal(got, expected) {
		t.Errorf("got %q, %v, want %q", got, err, expected)
	}
}
