package viavip

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"ldirectord/checker"
	"ldirectord/internal/lvs"
	"ldirectord/internal/testkit"
)

// Confirm reads the services of many checks at once. The result of each check depends on its own service.
func TestASuccessCountsByItsOwnService(t *testing.T) {
	played(t, func(t *testing.T, f *fake) {
		passes := giving(up)
		ways := []checker.Through{gate, way("127.0.0.3", lvs.Route)}
		f.set(t, ways...)
		var all []checker.Guided
		for _, w := range ways {
			c := &check{Services: f.Services, way: w, through: f.asked(passes, 80), own: passes,
				timeout: time.Second}
			c.Check(t.Context())
			all = append(all, c)
		}
		lost := all[1].(*check)
		f.table.Do(t.Context(), lvs.Op{Kind: lvs.DelService, Key: lost.now.Key})
		if counts := all[0].Confirm(t.Context(), all); !counts[0] || counts[1] {
			t.Errorf("the second one was lost: %v", counts)
		}
		if all[0].(*check).now.looked.IsZero() || !lost.now.looked.IsZero() {
			t.Error("the way of the one is known, that of the other is not")
		}
	})
}

// The last mark of each half can be used.
func TestTheLastMark(t *testing.T) {
	for forward, want := range map[lvs.Forward]uint32{lvs.Route: 0x4c7fffff, lvs.Tunnel: 0x4cffffff} {
		f := alone()
		f.taken = func(m uint32) bool { return m != want }
		sv := &service{PrivateService: wanted(way("127.0.0.2", forward))}
		testkit.OK(t, f.choose(sv), forward)
		testkit.Equal(t, sv.Key.Mark, want, forward)
		if err := f.choose(&service{PrivateService: wanted(way("127.0.0.3", forward))}); err == nil {
			t.Errorf("%v: a mark after the last", forward)
		}
	}
}

func TestWhetherPacketsMayNotComeToAService(t *testing.T) {
	now := time.Now()
	ago := func(d time.Duration) time.Time { return now.Add(-d) }
	for _, c := range []struct {
		looked, moved time.Duration
		shared, want  bool
	}{
		{looked: time.Hour, moved: summedUp},
		{looked: time.Hour, moved: summedUp + 1, want: true},
		{looked: eachRenewed, moved: 0, shared: true},
		{looked: eachRenewed + 1, moved: 0, shared: true, want: true},
		{looked: eachRenewed + 1, moved: 0},
	} {
		p := passage{looked: ago(c.looked)}
		p.entry = &entry{moved: ago(c.moved), shared: c.shared}
		testkit.Equal(t, p.isDoubted(now), c.want, c)
	}
	if p := (passage{service: service{entry: &entry{moved: now}}}); !p.isDoubted(now) {
		t.Error("it was not looked at, and is not doubted")
	}
}

// A way is tried again every minute while packets come through it. From the second time on it is known whether checks
// share it.
func TestHowOftenAWayIsLookedAt(t *testing.T) {
	played(t, func(t *testing.T, f *fake) {
		f.set(t, gate)
		var p, other passage
		look := func(p *passage) (again bool) {
			t.Helper()
			before := p.looked
			if p.entry != nil {
				p.moved = time.Now()
			}
			testkit.OK(t, f.reach(t, gate, p))
			return p.looked != before
		}
		if !look(&p) {
			t.Error("the first time it is not looked at")
		}
		time.Sleep(wayRenewed - 1)
		if look(&p) {
			t.Error("looked at within a minute")
		}
		time.Sleep(time.Nanosecond)
		if !look(&p) {
			t.Error("not looked at after a minute")
		}
		if p.shared {
			t.Error("one check shares the service with itself")
		}
		if look(&other); !p.shared {
			t.Error("two checks don't share it")
		}
	})
}

// A virtual address can't be the source of checks: answers would come to the director that has the address. One that
// left the file can.
func TestASourceThatIsVirtual(t *testing.T) {
	f := alone()
	w := checker.Through{Virtual: netip.MustParseAddr("127.0.0.1"), Server: netip.MustParseAddr("127.0.0.2"),
		Forward: lvs.Route}
	f.set(t, w)
	const want = "this machine sends to 127.0.0.2 from the virtual address 127.0.0.1"
	testkit.Fails(t, testkit.Error(f.ready(t.Context(), w, &passage{})), want)
	f.set(t, gate)
	testkit.OK(t, testkit.Error(f.ready(t.Context(), gate, &passage{})))
}

// The segment size fits the device of the check, as it was at most a minute before.
func TestSegmentsFitTheDevice(t *testing.T) {
	lo := testkit.Must(net.InterfaceByName("lo"))(t)
	for _, row := range []struct {
		mtu int
		ago time.Duration
		mss int
	}{{1000, 0, 900}, {1000, wayRenewed / 2, 900}, {1000, 2 * wayRenewed, 1400}, {9000, 0, 1400}} {
		f := alone()
		f.set(t, gate)
		f.machine = machine{byIndex: map[int]net.Interface{lo.Index: {Name: "lo", MTU: row.mtu}},
			read: time.Now().Add(-row.ago)}
		var p passage
		if _, err := f.ready(t.Context(), gate, &p); err != nil || int(p.via.MSS) != row.mss {
			t.Errorf("%+v: segments of %d, %v", row, p.via.MSS, err)
		}
	}
}

func TestAddresses(t *testing.T) {
	got := Addresses()
	for _, i := range testkit.Must(net.Interfaces())(t) {
		addrs := testkit.Must(i.Addrs())(t)
		testkit.Equal(t, fmt.Sprint(got[i.Index]), fmt.Sprint(addrs), i.Name)
	}
}

func TestAnAddressSaysThatAnotherMachineHasIt(t *testing.T) {
	for flags, want := range map[int]bool{unix.IFA_F_TENTATIVE: false,
		unix.IFA_F_TENTATIVE | unix.IFA_F_DADFAILED: true} {
		a := netlink.Addr{IPNet: &net.IPNet{IP: net.IPv6loopback}, Flags: flags}
		testkit.Equal(t, addressOf(a).Failed, want, flags)
	}
}

// The time grows with the number of devices, not with its square: ip link add, a few hundred times.
func BenchmarkDevices(b *testing.B) {
	for b.Loop() {
		new(machine).at(time.Now())
	}
}

// The settings that decide whether answers arrive are read from this machine.
func TestTheMachineAsItIs(t *testing.T) {
	is := func(name string) bool {
		values := ""
		for _, device := range []string{"all", "lo"} {
			text, err := os.ReadFile(fmt.Sprintf("/proc/sys/net/ipv4/conf/%s/%s", device, name))
			if err != nil {
				t.Skip(err)
			}
			values = max(values, strings.TrimSpace(string(text)))
		}
		return values == "1"
	}
	server, away := netip.MustParseAddr("127.0.0.2"), netip.MustParseAddr("127.0.0.9")
	for addr, local := range map[netip.Addr]bool{away: false, netip.MustParseAddr("127.0.0.1"): true} {
		var m machine
		want := Kernel{Device: "lo", Local: local, Same: true, AcceptLocal: is("accept_local"),
			Strict: is("rp_filter")}
		testkit.Equal(t, m.kernel(addr, server, time.Now()), want, addr)
		m.devices[addr] = net.Interface{Name: "x0"}
		if got := m.kernel(addr, server, m.read); got.Same || !got.Local {
			t.Errorf("%v is on another device: %+v", addr, got)
		}
	}
	// on no device, with a local route, as an address has that is to be announced
	got := new(machine).kernel(away, netip.MustParseAddr("192.0.2.1"), time.Now())
	testkit.Equal(t, got.Local, true, "with a local route")
}
