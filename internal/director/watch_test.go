package director

import (
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"time"

	"ldirectord/checker"
	"ldirectord/internal/core"
	"ldirectord/internal/schedule"
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
			{Task: task, Result: checker.Result{Detail: "it ends each connection within 5s"},
				Unwatched: true},
		})
	}
}
