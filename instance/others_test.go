package instance

import (
	"net/netip"
	"testing"
	"time"

	"ldirectord/ipvsctl"
)

// The lock proves that a daemon lives, whatever its pid is. A record that was written again in the same moment is
// read again.
func TestOthersLiveByTheirLock(t *testing.T) {
	i := daemonOf(t.TempDir(), "/x.cf")
	i.Table = "memory:file"
	key := ipvsctl.Key{Protocol: ipvsctl.TCP, Addr: netip.MustParseAddrPort("10.1.0.1:80")}
	y := State{Format: format, Daemon: Daemon{"/y.cf", i.Table, i.NetNS}, Phase: Running}
	y.Pid = 1 << 30
	y.Virtuals = []ipvsctl.Key{key}
	release := forge(t, i, "y.cf", y)
	z := y
	z.Table = "memory:other"
	forge(t, i, "z.cf", z)
	own := y
	own.Daemon = i.Daemon
	forge(t, i, "x.cf", own)
	one, _ := i.Others()
	if len(one) != 1 || !one[0].Lives || len(one[0].Has()) != 1 {
		t.Fatalf("%+v", one)
	}
	release()
	y.Yields = true
	forge(t, i, "y.cf", y)()
	if one, _ = i.Others(); len(one) != 1 || one[0].Lives || len(one[0].Has()) != 0 {
		t.Errorf("%+v", one)
	}
}

func TestAHandOverIsKeptForAWhile(t *testing.T) {
	for _, c := range []struct {
		phase Phase
		left  time.Duration
		is    bool
	}{
		{HandedOver, Handover - time.Second, true}, {HandedOver, -time.Second, false},
		{Running, time.Second, false},
		{HandedOver, time.Hour, false}, // of another boot
	} {
		if s := (State{Phase: c.phase, Kept: SinceBoot() + c.left}); s.IsHandedOver() != c.is {
			t.Errorf("%s, %v left", c.phase, c.left)
		}
	}
}
