package ipvsctl

import (
	"net/netip"
	"testing"

	"ldirectord/lvs"
)

// A table that is as it was written is compared, at each interval, without memory and without order.
func TestASameServiceIsSeenWithoutAllocations(t *testing.T) {
	service := Service{Settings: Settings{Scheduler: "wrr"}, Dests: map[netip.AddrPort]lvs.Dest{}}
	for i := range 100 {
		addr := netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 2, 0, byte(i)}), 80)
		service.Dests[addr] = lvs.Dest{Addr: addr, Weight: 1}
	}
	c := CompactOf(service)
	if n := testing.AllocsPerRun(10, func() {
		if !c.Is(service) {
			t.Error("it is another one")
		}
	}); n > 0 {
		t.Errorf("%v allocations", n)
	}
	first := c.Dests[0]
	for what, change := range map[string]func(){
		"scheduler": func() { service.Settings.Scheduler = "rr" },
		"weight":    func() { service.Dests[first.Addr] = lvs.Dest{Addr: first.Addr, Weight: 2} },
		"removed":   func() { delete(service.Dests, first.Addr) },
		"another": func() {
			delete(service.Dests, first.Addr)
			other := netip.MustParseAddrPort("10.3.0.1:80")
			service.Dests[other] = lvs.Dest{Addr: other, Weight: 1}
		},
		"one more": func() { other := netip.MustParseAddrPort("10.3.0.1:80"); service.Dests[other] = lvs.Dest{Addr: other} },
	} {
		service = c.Service(service.Key)
		if change(); c.Is(service) {
			t.Errorf("%s: it is the same", what)
		}
	}
}
