package director

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"ldirectord/view"
)

// requestCounts counts requests to the table: readings and changes.
type requestCounts struct{ reads, changes uint64 }

func requestsOf(t *testing.T, d *Director) (n requestCounts) {
	t.Helper()
	now := snapshotOf(t, d)
	for kind, counts := range now.Table {
		if kind == view.ReadTable {
			n.reads = counts.Done
		} else {
			n.changes += counts.Done + counts.Failed
		}
	}
	return n
}

// A reload without a change reads the table once, and makes no other request.
func TestAReloadWithoutAChangeIsOneReading(t *testing.T) {
	hundred(t, func(t *testing.T, s *scenario, _ *mute) {
		s.configs["three"] = strings.Replace(s.configs["one"], "checkinterval = 1", "checkinterval = 60", 1)
		for _, name := range []string{"three", "three"} {
			before := requestsOf(t, s.director)
			if err := s.director.Reload(t.Context(), s.plan(name)); err != nil {
				t.Fatal(err)
			}
			after := requestsOf(t, s.director)
			if got := (requestCounts{after.reads - before.reads, after.changes - before.changes}); got != (requestCounts{1, 0}) {
				t.Errorf("%+v, want one reading", got)
			}
		}
	})
}

// A change of a server's state is one request to the table, without a reading.
func TestOneTransitionIsOneRequest(t *testing.T) {
	for name, c := range map[string]struct {
		hand    string // a change by hand, just before
		how     string // the results of the checks from then on
		want    requestCounts
		changed []string
	}{
		"goes down":                           {"", "down", requestCounts{0, 1}, []string{"-e -t 10.1.0.1:80 -r 10.2.0.1:80 -g -w 0"}},
		"goes down, drained by hand":          {"-e -t 10.1.0.1:80 -r 10.2.0.1:80 -w 0", "down", requestCounts{0, 1}, []string{"-e -t 10.1.0.1:80 -r 10.2.0.1:80 -g -w 0"}},
		"goes down, removed by hand":          {"-d -t 10.1.0.1:80 -r 10.2.0.1:80", "down", requestCounts{1, 1}, []string{"-e -t 10.1.0.1:80 -r 10.2.0.1:80 -g -w 0"}},
		"goes down, the service is removed":   {"-D -t 10.1.0.1:80", "down", requestCounts{1, 4}, []string{"-e -t 10.1.0.1:80 -r 10.2.0.1:80 -g -w 0", "-A -t 10.1.0.1:80 -s wrr", "-a -t 10.1.0.1:80 -r 10.2.0.1:80 -g -w 0", "-a -t 10.1.0.1:80 -r 10.2.0.2:80 -g -w 1"}},
		"goes down, another drained by hand":  {"-e -t 10.1.0.1:80 -r 10.2.0.2:80 -w 0", "down", requestCounts{0, 1}, []string{"-e -t 10.1.0.1:80 -r 10.2.0.1:80 -g -w 0"}},
		"goes down, another is added by hand": {"-a -t 10.1.0.1:80 -r 10.2.0.9:80 -w 3", "down", requestCounts{0, 1}, []string{"-e -t 10.1.0.1:80 -r 10.2.0.1:80 -g -w 0"}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newScenario(t)
				s.configs["one"] = "checkinterval = 60\nvirtual = 10.1.0.1:80\n\tquiescent = yes\n\treal = 10.2.0.1:80 gate\n\treal = 10.2.0.2:80 gate\n\tchecktype = connect\n\tcheckinterval = 60\n"
				s.start("one", false)
				<-s.director.Settled()
				time.Sleep(55 * time.Second) // the last drift check was a second ago
				before := requestsOf(t, s.director)
				s.take()
				if c.hand != "" {
					s.hand(strings.Fields(c.hand))
				}
				s.set(servers[0], c.how)
				time.Sleep(50 * time.Second) // the next drift check is later
				after := requestsOf(t, s.director)
				got := requestCounts{after.reads - before.reads, after.changes - before.changes}
				var changed []string
				for _, line := range s.take() {
					if strings.HasPrefix(line, "-") {
						changed = append(changed, line)
					}
				}
				if got != c.want || !slices.Equal(changed, c.changed) {
					t.Errorf("%+v, want %+v; changes %q", got, c.want, changed)
				}
				s.stop(ErrHandover)
				time.Sleep(time.Second) // checks in flight end
			})
		})
	}
}
