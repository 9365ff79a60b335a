package director

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"ldirectord/checker"
	"ldirectord/lvs"
	"ldirectord/parser"
	"ldirectord/plan"
)

func TestASnapshotShowsEachCheck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScenario(t)
		s.configs["one"] = "checkinterval = 1\nvirtual = 10.1.0.1:80\n\treal = 10.2.0.1:80 gate\n\treal = 10.2.0.2:80 gate\n" +
			"\tchecktype = connect\n\tfailurecount = 3\n\talsocheck = connect 81\n\talsocheck = https 443\n"
		s.start("one", false)
		time.Sleep(3 * time.Second)
		s.set(servers[0], "unjudged")
		s.set(otherPorts[0], "down")
		s.set(otherPorts[1], "short")
		time.Sleep(2 * time.Second)
		var got []string
		for _, server := range snapshotOf(t, s.director).Virtuals[0].Servers {
			got = append(got, fmt.Sprintf("%s %s %d %q %v", server.Real, server.State, server.Streak, server.Unjudged, server.Last.OK))
			for _, c := range server.Checks {
				got = append(got, fmt.Sprintf("%s %s %d %q %v", c.Name, c.State, c.Streak, c.Unjudged, c.Last.OK))
			}
		}
		const why = `"cannot be judged: matching took too long with /a/"`
		want := "10.2.0.1:80 up 2 \"connect 80: " + why[1:] + " false\nconnect 80 up 0 " + why + " true\nconnect 81 up 2 \"\" false\nhttps 443 up 0 \"\" true\n" +
			"10.2.0.2:80 up 0 \"\" true\nconnect 80 up 0 \"\" true\nconnect 81 up 0 \"\" true\nhttps 443 up 0 \"\" true"
		if text := strings.Join(got, "\n"); text != want {
			t.Errorf("got\n%s\nwant\n%s", text, want)
		}
		time.Sleep(2 * time.Second)
		if got := snapshotOf(t, s.director).Virtuals[0].Servers[0]; got.State != "down" || got.Reason != "connect 81: connect: refused" || got.Tally.Transitions != 1 {
			t.Errorf("%s for %q, after %d transitions", got.State, got.Reason, got.Tally.Transitions)
		}
		s.stop(nil)
		time.Sleep(time.Second) // checks in flight end
	})
}

// A lasting shortage, such as a missing right to send pings, is not waited for. Otherwise a new daemon would be
// starting forever, and a running one would never send mail.
func TestAShortageThatLastsIsNotWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScenario(t)
		s.noPings.Store(true)
		const file = "checkinterval = 1\nvirtual = 10.1.0.1:80\n\treal = 10.2.0.1:80 gate\n\tchecktype = connect\n"
		s.configs["one"], s.configs["two"] = file, file+"\talsocheck = ping\n"
		s.start("two", false)
		for _, reload := range []string{"one", "two", "two"} {
			time.Sleep(1500 * time.Millisecond)
			s.step([]string{"reload", reload}, "")
			time.Sleep(4 * time.Second)
			if now := snapshotOf(t, s.director).Status; now != lvs.StatusRunning {
				t.Errorf("after a reload of %s it is %s", reload, now)
			}
		}
		select {
		case <-s.director.Settled():
		default:
			t.Error("the director never settles")
		}
		s.stop(nil)
		time.Sleep(time.Second) // checks in flight end
	})
}

// planned makes a plan of a configuration, with the checks that build makes. The diagnostics are those of the plan.
func planned(t *testing.T, config string, build plan.Build) (*plan.Plan, parser.Diagnostics) {
	t.Helper()
	cfg, found := parser.Parse(t.Context(), "plan.cf", []byte(config), parser.Options{})
	if found.HasErrors() {
		t.Fatal(found)
	}
	return plan.New(cfg, build)
}

func neverChecked(checker.Spec) (checker.Checker, error) {
	return checkFunc(func() checker.Result { return checker.Result{} }), nil
}
