package announce

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"

	"ldirectord/internal/lvs"
	"ldirectord/internal/testkit"
)

func TestInspect(t *testing.T) {
	f := newFake()
	gone, runs := f.announcer(t, "www.cf"), f.announcer(t, "mail.cf")
	syncLine(t, gone, f, []string{"192.0.2.10=lvs0", "2001:db8::10=lvs0"})
	syncLine(t, runs, f, []string{"192.0.2.11=lvs0", "192.0.2.12=lvs1", "2001:db8::11=lvs0"})
	kill(gone)
	f.byHand(netip.MustParseAddr("192.0.2.11"), "eth0")
	f.set("lvs1", false)
	want := []lvs.Wanted{wantOf("192.0.2.11=lvs0"), wantOf("192.0.2.12=lvs1")}
	want[1].Devices = append(want[1].Devices, "lvs2", "eth0")
	found, err := f.announcer(t, "other.cf").Inspect(want)
	var got []string
	for _, f := range found {
		got = append(got, fmt.Sprint(f.Addr, " ", f.Device, " ", f.Text, ": ", f.Command))
	}
	slices.Sort(got)
	expected := []string{
		"192.0.2.10/32 lvs0 was announced by a daemon that is no longer running: ip address del " +
			"192.0.2.10/32 dev lvs0",
		"192.0.2.11/32 eth0 is on this device too: ip address del 192.0.2.11/32 dev eth0",
		"2001:db8::10/128 lvs0 was announced by a daemon that is no longer running: ip address del " +
			"2001:db8::10/128 dev lvs0",
		"invalid Prefix eth0 device eth0 is not a dummy device: ",
		"invalid Prefix lvs1 device lvs1 is down: ip link set lvs1 up",
		"invalid Prefix lvs2 device lvs2 is missing: ip link add lvs2 type dummy && ip link set lvs2 up",
	}
	testkit.OK(t, err)
	testkit.Same(t, got, expected)
}

// An address of the file that is on its device stays. A recorded address that the file does not have would be
// removed. A foreign address would be neither added nor removed.
func TestPreview(t *testing.T) {
	f := newFake()
	runs := f.announcer(t, "www.cf")
	syncLine(t, runs, f, []string{"192.0.2.10=lvs0", "192.0.2.11=lvs1", "192.0.2.12=lvs0", "192.0.2.15=lvs0",
		"192.0.2.17=lvs1", "2001:db8::1=lvs0"}) // as many as are wanted
	f.byHand(netip.MustParseAddr("192.0.2.14"), "lvs0")
	want := []lvs.Wanted{wantOf("192.0.2.10=lvs0"), wantOf("192.0.2.11=lvs0"), wantOf("192.0.2.13=lvs0"),
		wantOf("192.0.2.14=lvs0"), wantOf("192.0.2.15=lvs0"), wantOf("192.0.2.16=lvs0")}
	for i := range want {
		want[i].Devices = []string{"lvs0"}
	}
	for i := range want[4:] { // withdrawn by an order
		want[4+i].Device, want[4+i].Local = "", true
	}
	expected := []string{
		"would take 192.0.2.11/32 from lvs1 (not in the file)", "would put 192.0.2.11/32 on lvs0",
		"would put 192.0.2.13/32 on lvs0",
		"would take 192.0.2.15/32 from lvs0 (withdrawn by order)",
		"would take 192.0.2.12/32 from lvs0 (not in the file)",
		"would take 192.0.2.17/32 from lvs1 (not in the file)",
		"would take 2001:db8::1/128 from lvs0 (not in the file)",
	}
	testkit.Same(t, testkit.Must(runs.Preview(want))(t), expected)
}
