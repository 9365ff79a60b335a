package director

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"ldirectord/checker"
	"ldirectord/core"
	"ldirectord/lvs"
	"ldirectord/notify"
	"ldirectord/view"
)

const twoFallbacks = `checkinterval = 1
fallbackcheck = connect
virtual = 10.1.0.1:80
	real = 10.2.0.1:80 gate
	fallback = 10.2.0.9:80
	checktype = connect
	minservers = 1
virtual = 10.1.0.2:80
	real = 10.2.0.9:80 gate
	fallback = 10.2.0.1:80
	checktype = connect
virtual = 10.1.0.3:80
	real = 10.2.0.1:80 gate
	fallback = 10.2.0.8:80
	fallbackcheck = section
	checktype = connect
	failurecount = 3
`

// fallbackOf is what is known of the fallback server of a virtual service.
func fallbackOf(t *testing.T, s *scenario, virtual int) view.Fallback {
	t.Helper()
	return *snapshotOf(t, s.director).Virtuals[virtual].Fallback
}

// A check of a fallback server is made once for all that have it, as real servers or as fallback servers. The start
// waits for no fallback server, and none counts as a server. A reload keeps its state while its check stays the same.
func TestFallbackServersAreCheckedAndCountAsNone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScenario(t)
		s.configs["one"] = twoFallbacks
		s.configs["section"] = strings.ReplaceAll(twoFallbacks, "fallbackcheck = section", "fallbackcheck = section\n\tcheckport = 82")
		s.configs["no"] = strings.ReplaceAll(twoFallbacks, "fallbackcheck = connect", "fallbackcheck = no")
		s.health[netip.MustParseAddrPort("10.2.0.8:80")] = checker.Result{Took: 20 * time.Second}
		reload := func(name string) {
			if err := s.director.Reload(t.Context(), s.plan(name)); err != nil {
				t.Error(err)
			}
		}
		s.start("one", false)
		if n := len(s.plan("one").Tasks); n != 3 {
			t.Errorf("%d checks of three servers", n)
		}
		time.Sleep(5 * time.Second)
		select {
		case <-s.director.Settled():
		default:
			t.Error("the start waits for a fallback server")
		}
		if now := snapshotOf(t, s.director); now.Status != lvs.StatusRunning || now.Virtuals[2].Fallback.State != "unknown" {
			t.Errorf("%s, %+v", now.Status, now.Virtuals[2].Fallback)
		}
		for _, a := range []string{"10.2.0.8:80", "10.2.0.9:80"} {
			s.set(netip.MustParseAddrPort(a), "down")
		}
		time.Sleep(30 * time.Second)
		now := snapshotOf(t, s.director)
		for i, want := range []string{"down", "up", "down"} {
			v := now.Virtuals[i]
			if f := v.Fallback; f.State != want || (f.Reason != "") != (want == "down") || f.Checked.IsZero() || f.Active != (i == 1) {
				t.Errorf("%s: %+v", v.ID, f)
			}
			if len(v.Servers) != 1 || v.Servers[0].Tally.Checks > 40 || v.Took.Count > 40 {
				t.Errorf("%s counts its fallback server: %+v", v.ID, v.Servers)
			}
		}
		if e := now.Virtuals[0].Enough; e == nil || e.Up != 1 {
			t.Errorf("minservers: %+v", e)
		}
		reload("section")
		if f := fallbackOf(t, s, 0); f.State != "down" || f.Reason == "" {
			t.Errorf("after a reload: %+v", f)
		}
		if f := fallbackOf(t, s, 2); f.State != "unknown" {
			t.Errorf("after a reload with another check: %+v", f)
		}
		reload("no")
		if f := fallbackOf(t, s, 0); f.State != "" || f.Conditions != nil {
			t.Errorf("without a check: %+v", f)
		}
		reload("one")
		if f := fallbackOf(t, s, 0); f.State != "down" {
			t.Errorf("a known result of a shared check: %+v", f)
		}
		s.stop(nil)
		time.Sleep(time.Minute) // checks in flight end
	})
}

// The failure of a fallback server is an event about it, once. What its checks find causes no mail.
func TestTheEventsOfAFallbackServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScenario(t)
		s.configs["one"] = twoFallbacks
		at := netip.MustParseAddrPort("10.2.0.8:80")
		var got []string
		s.channels = []core.Receiver{core.Words(func(e notify.Event) {
			if e.Real == at.String() {
				got = append(got, fmt.Sprintf("%s of %s %t %s", e.Kind, e.Virtual, e.Fallback, e.Reason))
			}
		})}
		s.start("one", false)
		for _, how := range []string{"unjudged", "down", "up"} {
			s.set(at, how)
			time.Sleep(10 * time.Second)
		}
		s.stop(nil)
		time.Sleep(time.Minute) // checks in flight end
		want := []string{"check-warning of tcp:10.1.0.3:80 true matching took too long with /a/",
			"fallback-fails of tcp:10.1.0.3:80 true connect: refused", "fallback-passes of tcp:10.1.0.3:80 true "}
		if !slices.Equal(got, want) {
			t.Errorf("%q", got)
		}
	})
}
