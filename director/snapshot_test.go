package director

import (
	"context"
	"fmt"
	"maps"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"ldirectord/checker"
	"ldirectord/checker/schedule"
	"ldirectord/lvs"
	"ldirectord/notify"
	"ldirectord/orders"
	"ldirectord/view"
)

const threeAndOne = `checkinterval = 2
failurecount = 2
virtual = 10.1.0.1:80
	real = 10.2.0.1:80 gate 3
	real = 10.2.0.2:80 gate
	real = 10.2.0.3:80 gate
	fallback = 127.0.0.1:80
	checktype = connect
virtual = 10.1.0.2:80
	real = 10.2.0.4:80 gate
	checktype = off
`

// lineOf is what a test compares of a server.
func lineOf(s view.Server, now time.Time) string {
	return fmt.Sprintf("%s %s for %v, weight %d of %d, %d against it, %q, %d checks, %d transitions, failures %v",
		s.Real, s.State, now.Sub(s.Since).Round(time.Second), s.Effective, s.Weight, s.Streak, s.Reason,
		s.Tally.Checks, s.Tally.Transitions, maps.Collect(s.Tally.Failures()))
}

// snapshotting runs a director in fake time. One server fails from the fifth second on.
func snapshotting(t *testing.T, test func(*testing.T, *scenario)) {
	synctest.Test(t, func(t *testing.T) {
		s := newScenario(t)
		s.configs["one"] = threeAndOne
		s.start("one", false)
		time.Sleep(5 * time.Second)
		s.mu.Lock()
		s.health[netip.MustParseAddrPort("10.2.0.2:80")] = checker.Result{Detail: "connect: refused", Cause: checker.Refused}
		s.mu.Unlock()
		time.Sleep(6 * time.Second)
		test(t, s)
		s.stop(nil)
		time.Sleep(time.Second) // checks in flight end
	})
}

func snapshotOf(t *testing.T, d *Director) *view.Snapshot {
	t.Helper()
	now, err := d.Snapshot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return now
}

func TestASnapshotShowsWhatIsKnown(t *testing.T) {
	snapshotting(t, func(t *testing.T, s *scenario) {
		now := snapshotOf(t, s.director)
		web, off := now.Virtuals[0], now.Virtuals[1]
		if web.ID != "tcp:10.1.0.1:80" || web.Scheduler != "wrr" || !reflect.DeepEqual(*web.Fallback, view.Fallback{Server: "127.0.0.1:80"}) || !web.Written || web.Error != "" {
			t.Errorf("%+v", web)
		}
		for i, want := range []string{
			`10.2.0.1:80 up for 11s, weight 3 of 3, 0 against it, "", 6 checks, 0 transitions, failures map[]`,
			`10.2.0.2:80 down for 2s, weight 0 of 1, 0 against it, "connect: refused", 7 checks, 1 transitions, failures map[refused:3]`,
			`10.2.0.3:80 up for 11s, weight 1 of 1, 0 against it, "", 6 checks, 0 transitions, failures map[]`,
		} {
			if got := lineOf(web.Servers[i], now.Time); got != want {
				t.Errorf("got  %s\nwant %s", got, want)
			}
		}
		if !web.Servers[0].Up || web.Servers[1].Up || off.Servers[0].Up {
			t.Error("the servers that are up are not those whose checks pass")
		}
		if got := off.Servers[0].State; got != "off" {
			t.Errorf("a server that is not checked is %s", got)
		}
		if last := web.Servers[1].Last; last.OK || last.Detail != "connect: refused" || now.Time.Sub(web.Servers[1].Checked) > 2*time.Second {
			t.Errorf("the last result is %+v at %v", last, web.Servers[1].Checked)
		}
		if n := web.Took.Count; n != 19 {
			t.Errorf("%d durations, want those of 19 checks", n)
		}
		if now.Overdue > 2*schedule.Tick {
			t.Errorf("%v overdue", now.Overdue)
		}
		if done := now.Table; done[lvs.AddService] != (view.Counts{Done: 2}) || done[lvs.DelDest] != (view.Counts{Done: 1}) {
			t.Errorf("operations %v", done)
		}
	})
}

// A server whose state the brake keeps is up. Its note has the brake and its order.
func TestASnapshotShowsTheBrake(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScenario(t)
		s.configs["one"] = "checkinterval = 2\nvirtual = 10.1.0.1:80\n\treal = 10.2.0.1:80 gate\n\treal = 10.2.0.2:80 gate\n\treal = 10.2.0.3:80 masq\n\tchecktype = connect\n\tcheckvip = yes\n"
		s.start("one", false)
		time.Sleep(5 * time.Second)
		s.set(netip.MustParseAddrPort("10.2.0.1:80"), "through")
		s.set(netip.MustParseAddrPort("10.2.0.2:80"), "through")
		time.Sleep(5 * time.Second)
		if err := s.director.Order(t.Context(), orders.All{lvs.At("tcp:10.1.0.1:80", "10.2.0.1:80"): {Kind: orders.Weigh, Weight: 2, Why: "slow"}}); err != nil {
			t.Fatal(err)
		}
		servers := snapshotOf(t, s.director).Virtuals[0].Servers
		const braked = "not believed: every server that was up fails only through 10.1.0.1"
		if got := [...]string{servers[0].Note, servers[1].Note, servers[2].Note}; got != [...]string{braked + "; order: weight 2: slow", braked, ""} {
			t.Errorf("notes %q", got)
		}
		for _, r := range servers {
			if is := r.Real != "10.2.0.3:80"; !r.Up || r.Braked != is {
				t.Errorf("%s: up %t, braked %t, want %t", r.Real, r.Up, r.Braked, is)
			}
		}
		s.stop(nil)
		time.Sleep(time.Second) // checks in flight end
	})
}

func TestAReloadKeepsWhatWasCountedAndSince(t *testing.T) {
	snapshotting(t, func(t *testing.T, s *scenario) {
		s.configs["two"] = threeAndOne + "\tquiescent = yes\nvirtual = 10.1.0.3:80\n\treal = 10.2.0.5:80 gate\n\tchecktype = connect\n"
		before := snapshotOf(t, s.director)
		if err := s.director.Reload(t.Context(), s.plan("two")); err != nil {
			t.Fatal(err)
		}
		after := snapshotOf(t, s.director)
		for i, server := range before.Virtuals[0].Servers {
			if got, want := lineOf(after.Virtuals[0].Servers[i], after.Time), lineOf(server, before.Time); got != want {
				t.Errorf("got  %s\nwant %s", got, want)
			}
		}
		if got := after.Virtuals[2].Servers[0]; got.Since.Before(before.Time) || got.Tally.Checks > 1 {
			t.Errorf("the new server has an old state or tally: %+v", got)
		}
	})
}

func TestATableThatRefusesShowsUntilItDoesNot(t *testing.T) {
	snapshotting(t, func(t *testing.T, s *scenario) {
		s.table.broken.Store(true)
		s.set(netip.MustParseAddrPort("10.2.0.1:80"), "down")
		time.Sleep(5 * time.Second)
		now := snapshotOf(t, s.director)
		if web := now.Virtuals[0]; web.Written || web.Error != "-d -t 10.1.0.1:80 -r 10.2.0.1:80: no answer" {
			t.Errorf("while the table refuses changes: %+v", web)
		}
		if failed := now.Table[lvs.DelDest].Failed; failed < 2 {
			t.Errorf("%d failures counted", failed)
		}
		s.table.broken.Store(false)
		time.Sleep(5 * time.Second)
		if web := snapshotOf(t, s.director).Virtuals[0]; !web.Written || web.Error != "" {
			t.Errorf("after the table accepts changes again: %+v", web)
		}
	})
}

func TestADrainedServerIsNotUp(t *testing.T) {
	snapshotting(t, func(t *testing.T, s *scenario) {
		s.director.Order(t.Context(), orders.All{lvs.At("tcp:10.1.0.1:80", "10.2.0.3:80"): {Kind: orders.Drain}})
		time.Sleep(3 * time.Second)
		now := snapshotOf(t, s.director)
		if got := now.Virtuals[0].Servers[2]; got.State != "drained" || got.Up || got.Effective != 0 || !got.InTable || now.Time.Sub(got.Since) != 3*time.Second {
			t.Errorf("%+v", got)
		}
	})
}

func TestOwnShortagesAreCountedApart(t *testing.T) {
	snapshotting(t, func(t *testing.T, s *scenario) {
		s.mu.Lock()
		s.health[netip.MustParseAddrPort("10.2.0.1:80")] = checker.Result{Cause: checker.Shortage}
		s.mu.Unlock()
		time.Sleep(4 * time.Second)
		now := snapshotOf(t, s.director)
		short := maps.Collect(now.Virtuals[0].Servers[0].Tally.Failures())["shortage"]
		if now.Shortages == 0 || uint64(short) != now.Shortages {
			t.Errorf("%d shortages in all, %d of the server", now.Shortages, short)
		}
	})
}

// A server whose check lacks a program on this machine stays unknown, and its reason names the program.
func TestAnUnknownServerTellsWhatItsCheckLacks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScenario(t)
		const why = "ldirectord-oracle is not installed"
		addr := netip.MustParseAddrPort("10.2.0.1:80")
		s.health[addr] = checker.Result{Cause: checker.Shortage, Detail: why}
		s.configs["one"] = "checkinterval = 1\nvirtual = 10.1.0.1:80\n\treal = 10.2.0.1:80 gate\n\tchecktype = connect\n"
		s.start("one", false)
		for range 2 {
			time.Sleep(1500 * time.Millisecond)
			if is := snapshotOf(t, s.director).Virtuals[0].Servers[0]; is.State != "unknown" || is.Reason != why || is.InTable {
				t.Errorf("%+v", is)
			}
		}
		s.set(addr, "up")
		time.Sleep(3 * time.Second)
		if is := snapshotOf(t, s.director).Virtuals[0].Servers[0]; is.State != "up" || is.Reason != "" {
			t.Errorf("with the program installed: %+v", is)
		}
		s.stop(nil)
		time.Sleep(time.Second) // checks in flight end
	})
}

// If the answers of all servers of a virtual service can't be judged, there is one mail. The checks continue at their
// times, and the states stay.
func TestAnswersThatCantBeJudgedAreOneMail(t *testing.T) {
	snapshotting(t, func(t *testing.T, s *scenario) {
		before := snapshotOf(t, s.director)
		s.set(netip.MustParseAddrPort("10.2.0.1:80"), "unjudged")
		s.set(netip.MustParseAddrPort("10.2.0.3:80"), "unjudged")
		time.Sleep(30 * time.Minute)
		now := snapshotOf(t, s.director)
		for _, i := range []int{0, 2} {
			was, is := before.Virtuals[0].Servers[i], now.Virtuals[0].Servers[i]
			made := maps.Collect(is.Tally.Failures())["unjudged"]
			if is.State != "up" || is.Unjudged == "" || is.Tally.Transitions != 0 || is.Checked.After(was.Checked.Add(5*time.Second)) || made < 890 || made > 900 {
				t.Errorf("%+v", is)
			}
		}
		s.mu.Lock()
		if s.kinds[notify.Unjudged] != 1 || s.kinds[notify.CheckWarning] != 1 || s.kinds[notify.LocalShortage] != 0 {
			t.Errorf("the events are %v", s.kinds)
		}
		s.mu.Unlock()
		s.set(netip.MustParseAddrPort("10.2.0.1:80"), "up")
		time.Sleep(5 * time.Second)
		if is := snapshotOf(t, s.director).Virtuals[0].Servers[0]; is.Unjudged != "" || !is.Up {
			t.Errorf("after an answer that can be judged: %+v", is)
		}
	})
}

func TestACallOfABusyDirectorEndsWithItsContext(t *testing.T) {
	d := New(Deps{}) // not running
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := d.Snapshot(ctx); err == nil || err.Error() != "the director waits for the table: context canceled" {
		t.Errorf("a snapshot of a director that isn't running gives the error %v", err)
	}
}

func TestCancelledCallsDontDelayChecks(t *testing.T) {
	snapshotting(t, func(t *testing.T, s *scenario) {
		gone, cancel := context.WithCancel(t.Context())
		cancel()
		for range 100 {
			s.director.Snapshot(gone)
		}
		time.Sleep(3 * time.Second)
		if now := snapshotOf(t, s.director); now.Overdue > 2*schedule.Tick {
			t.Errorf("checks are late by %v", now.Overdue)
		}
	})
}

func TestASnapshotShowsServersWithoutAnAddress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScenario(t)
		s.configs["one"] = "virtual = 10.1.0.1:80\n\treal = web1.example:80 gate 3\n\treal = 10.2.0.2:80 gate\n\treal = web3.example:80 gate\n\tchecktype = connect\n"
		s.start("one", false)
		time.Sleep(5 * time.Second)
		s.names["web1.example"] = netip.MustParseAddr("10.2.0.1")
		if err := s.director.Refine(t.Context(), s.waitingPlan("one", true)); err != nil {
			t.Fatal(err)
		}
		time.Sleep(5 * time.Second)
		now := snapshotOf(t, s.director)
		for i, want := range []string{
			`10.2.0.1:80 up for 5s, weight 3 of 3, 0 against it, ""`,
			`10.2.0.2:80 up for 10s, weight 1 of 1, 0 against it, ""`,
			`web3.example:80 unknown for 10s, weight 0 of 1, 0 against it, "no address: web3.example: no answer", 0 checks`,
		} {
			if got := lineOf(now.Virtuals[0].Servers[i], now.Time); !strings.HasPrefix(got, want) {
				t.Errorf("got  %s\nwant %s", got, want)
			}
		}
		if now.Status != lvs.StatusRunning {
			t.Errorf("%s, want running though a server has no address", now.Status)
		}
		s.stop(nil)
		time.Sleep(time.Second) // checks in flight end
	})
}
