package viavip

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"ldirectord/checker"
	"ldirectord/internal/lvs"
	"ldirectord/internal/testkit"
	"ldirectord/ipvsctl"
)

// The schedule begins a check by itself while its way is known, and then asks whether the result counts.
func TestTheWayOfACheckThatTheScheduleBegins(t *testing.T) {
	played(t, func(t *testing.T, f *fake) {
		through, own := giving(up), giving(up)
		c := f.check(t, through, own).(*check)
		if c.First() != checker.Checker(through) {
			t.Errorf("it begins with %v", c.First())
		}
		known := func(when string, want bool) {
			t.Helper()
			via, ok := c.Way(time.Now())
			if ok != want || ok && (via.To != virtual || via.Mark != ipvsctl.FirstPrivate) {
				t.Errorf("%s: %+v, %v", when, via, ok)
			}
		}
		known("without a service", false)
		c.Check(t.Context())
		known("after a check", true)
		time.Sleep(2*wayRenewed - 1)
		known("for a while", true)
		time.Sleep(time.Nanosecond)
		known("when it was not looked at for too long", false)

		c.Check(t.Context())
		c.missing = true
		if counts := c.Confirm(t.Context(), []checker.Guided{c}); !counts[0] || c.missing {
			t.Errorf("a success: %v, missing %v", counts, c.missing)
		}
		f.Leave(map[netip.Addr]bool{virtual: true})
		known("another daemon's", false)
		f.Leave(nil)
		known("and not any more", true)

		testkit.Equal(t, said(c.Finish(t.Context(), refused)), "up through",
			"a failure by a connection that may lead elsewhere")
		testkit.Equal(t, f.knocks, 3, "connections")
		through.list = []checker.Result{refused}
		known("after the second success", true)
		testkit.Equal(t, said(c.Finish(t.Context(), refused)), "down through, answers at its own", "a failure")
		f.astray = true
		time.Sleep(summedUp + 1)
		if counts := c.Confirm(t.Context(), []checker.Guided{c}); counts[0] || !c.now.looked.IsZero() {
			t.Errorf("its packets go elsewhere: %v, looked at %v", counts, c.now.looked)
		}
		testkit.Equal(t, said(c.Finish(t.Context(), up)), "down void, unjudged", "its packets go elsewhere")
		known("which is known", false)
	})
}

// While the table does not answer, a server without a first result does not come in.
func TestNoServerComesInWhileTheTableIsSlow(t *testing.T) {
	played(t, func(t *testing.T, f *fake) {
		c := f.check(t, giving(up), giving(up))
		f.line <- struct{}{}
		testkit.Equal(t, said(c.Check(t.Context())), "down void, unjudged", "at first")
		<-f.line
		testkit.Equal(t, said(c.Check(t.Context())), "up through", "once it answers")
		f.line <- struct{}{}
		c.(*check).now.looked = time.Time{}
		testkit.Equal(t, said(c.Check(t.Context())), "up void", "after a result")
		<-f.line
	})
}

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

// When a service was lost just before, it is made again and the check repeated, unless half of the timeout is over.
func TestAServiceThatIsLostLate(t *testing.T) {
	for took, asked := range map[time.Duration]int{2500*time.Millisecond - 1: 2, 2500 * time.Millisecond: 1} {
		played(t, func(t *testing.T, f *fake) {
			through := giving(checker.Result{OK: true, Took: took}, up)
			c := f.check(t, through, giving(up)).(*check)
			through.then = func() {
				if through.asked == 1 {
					f.table.Do(t.Context(), lvs.Op{Kind: lvs.DelService, Key: c.now.Key})
				}
			}
			c.passed = true
			if r := c.Check(t.Context()); !r.OK || through.asked != asked ||
				(r.Way == checker.WayThrough) != (asked == 2) {
				t.Errorf("lost by an answer after %v: asked %d times, %+v", took, through.asked, r)
			}
		})
	}
}

// The last mark of each half can be used.
func TestTheLastMark(t *testing.T) {
	for forward, want := range map[lvs.Forward]uint32{lvs.Route: 0x4c7fffff, lvs.Tunnel: 0x4cffffff} {
		f := alone()
		f.taken = func(m uint32) bool { return m != want }
		sv := &service{PrivateService: wanted(way("127.0.0.2", forward))}
		if err := f.choose(sv); err != nil || sv.Key.Mark != want {
			t.Errorf("%v: %#x, %v", forward, sv.Key.Mark, err)
		}
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

// A check whose packets go elsewhere is not made for a minute. Then the way is tried again.
func TestAWayThatLeadsElsewhereIsTriedEachMinute(t *testing.T) {
	played(t, func(t *testing.T, f *fake) {
		f.set(t, gate)
		f.astray = true
		var p passage
		tried := func(when string, want int) {
			t.Helper()
			if err := f.reach(t, gate, &p); err == nil || !strings.Contains(err.Error(), "a rule") ||
				f.knocks != want {
				t.Errorf("%s: %v after %d packets, want %d", when, err, f.knocks, want)
			}
		}
		tried("at first, and a moment later", maxTries)
		time.Sleep(wayRenewed - 1)
		tried("within a minute", maxTries)
		time.Sleep(time.Nanosecond)
		tried("after a minute", 2*maxTries)
	})
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

// A virtual address can't be the source of checks: answers would come to the director that has the address.
func TestASourceThatIsVirtual(t *testing.T) {
	f := alone()
	w := checker.Through{Virtual: netip.MustParseAddr("127.0.0.1"), Server: netip.MustParseAddr("127.0.0.2"),
		Forward: lvs.Route}
	f.set(t, w)
	const want = "the only address of this machine towards 127.0.0.2 is the virtual address 127.0.0.1"
	testkit.Fails(t, testkit.Error(f.ready(t.Context(), w, &passage{})), want)
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
}
