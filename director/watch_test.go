package director

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"ldirectord/checker"
	"ldirectord/checker/schedule"
	"ldirectord/core"
)

// idle are watches without real connections. They report what happens to them, and the end of one requests checks, as
// usual.
type idle struct {
	*schedule.Watches
	director *Director
	say      func(string)

	mu   sync.Mutex
	all  map[netip.AddrPort]*schedule.Watch
	open map[netip.AddrPort]bool
}

// newIdle gives such watches to a director that is not running yet.
func newIdle(d *Director, say func(string)) *idle {
	w := &idle{Watches: &d.pool.Watches, director: d, say: say, open: map[netip.AddrPort]bool{}}
	d.core = core.New(d.deps.World, d.performers(w))
	return w
}

// Set implements watches.
func (w *idle) Set(all map[netip.AddrPort]*schedule.Watch) {
	w.Watches.Set(all)
	w.mu.Lock()
	defer w.mu.Unlock()
	before := w.all
	w.all = all
	var closed []string
	for to := range w.open {
		now, was := w.all[to], before[to]
		if now == nil || now.OnLink != was.OnLink || now.Silence != was.Silence {
			delete(w.open, to)
			closed = append(closed, fmt.Sprintf("watch: %v closed", to))
		}
	}
	slices.Sort(closed)
	for _, text := range closed {
		w.say(text)
	}
}

// Attend implements watches.
func (w *idle) Attend(to netip.AddrPort, up bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	one, is := w.all[to]
	if !is || up == w.open[to] {
		return
	}
	if w.open[to] = up; !up {
		delete(w.open, to)
		w.say(fmt.Sprintf("watch: %v closed", to))
		return
	}
	text := fmt.Sprintf("watch: %v connected, checks %d, pauses up to %v", to, len(one.Tasks), one.Every)
	if one.Silence > 0 {
		text += fmt.Sprint(", silence ", one.Silence)
	}
	if one.OnLink {
		text += ", on the link"
	}
	w.say(text)
}

// end ends the connection to an address.
func (w *idle) end(to netip.AddrPort) {
	w.mu.Lock()
	was := w.open[to]
	delete(w.open, to)
	w.mu.Unlock()
	if was {
		w.Ask(to)
	}
}

// giveUp reports that an address can't be watched.
func (w *idle) giveUp(to netip.AddrPort) {
	w.mu.Lock()
	delete(w.open, to)
	task := w.all[to].Tasks[0]
	w.mu.Unlock()
	w.director.asked <- func() {
		w.director.core.Results(time.Now(), []schedule.Update{
			{Task: task, Result: checker.Result{Detail: "it ends each connection within 5s"}, Unwatched: true},
		})
	}
}

// Without the directive nothing is watched, and no check is requested by a watch.
func TestWithoutWatchNothingIsWatched(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScenario(t)
		s.configs["one"] = "virtual = 10.1.0.1:80\n\treal = 10.2.0.1:80 gate\n\tchecktype = connect\n"
		s.step([]string{"start", "one"}, "")
		time.Sleep(time.Minute)
		s.stop(ErrHandover)
		if s.watches.all == nil || len(s.watches.all) > 0 {
			t.Errorf("watched: %v", s.watches.all)
		}
	})
}

// A reload adds, changes or takes away watch in each state of a server: a connection is there while all checks pass.
func TestReloadOfWatch(t *testing.T) {
	const again = "down; wait 1100ms; up; wait 1100ms; down; wait 1100ms; up; wait 1100ms"
	for _, row := range []struct {
		state, file, does               string
		before, added, changed, removed string
	}{
		{"in service", "", "", "-", "0s", "5s", "-"},
		{"out", "", "down; wait 2s", "-", "-", "-", "-"},
		{"waits", "holddown = 60\n", again, "-", "0s", "5s", "-"},
		{"climbs", "slowstart = 60\n", "down; wait 2s; up; wait 2s", "-", "0s", "5s", "-"},
		{"held", "keepserving = 2\n", "down; wait 2s", "-", "-", "-", "-"},
		{"drains", "", "drain", "-", "0s", "5s", "-"},
	} {
		synctest.Test(t, func(t *testing.T) {
			s := newScenario(t)
			for name, line := range map[string]string{"none": "", "yes": "\twatch = yes\n", "five": "\twatch = 5\n"} {
				s.configs[name] = "checkinterval = 1\n" + row.file + "virtual = 10.1.0.1:80\n\treal = 10.2.0.1:80 gate 9\n" +
					"\treal = 10.2.0.2:80 gate 9\n\tchecktype = connect\n" + line
			}
			watched := func() string {
				synctest.Wait()
				s.watches.mu.Lock()
				defer s.watches.mu.Unlock()
				to := netip.MustParseAddrPort("10.2.0.1:80")
				if !s.watches.open[to] {
					return "-"
				}
				return s.watches.all[to].Silence.String()
			}
			play := func(steps string) {
				for step := range strings.SplitSeq(steps, "; ") {
					words := strings.Fields(step)
					switch step {
					case "":
						continue
					case "up", "down":
						words = append(words, "10.2.0.1:80")
					case "drain":
						words = append(words, "tcp:10.1.0.1:80", "10.2.0.1:80")
					}
					s.step(words, "")
				}
			}
			play("start none; wait 2s; " + row.does)
			seen := []string{watched()}
			for _, file := range []string{"yes", "five", "none"} {
				play("reload " + file + "; wait 100ms")
				seen = append(seen, watched())
			}
			s.stop(ErrHandover)
			want := []string{row.before, row.added, row.changed, row.removed}
			if !slices.Equal(seen, want) {
				t.Errorf("%s: %v, want %v", row.state, seen, want)
			}
		})
	}
}
