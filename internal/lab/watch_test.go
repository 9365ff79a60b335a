package lab

import (
	"cmp"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// watchFault is a fault of a server, and how soon the server must be out of the table: the median, and the longest
// time.
type watchFault struct {
	name         string
	fail, heal   func(ns string)
	median, most time.Duration
	together     bool // all five servers fail at the same time, and are found by checkinterval
}

const (
	watchInterval = 10 * time.Second
	watchTimeout  = time.Second
	byInterval    = watchInterval*11/10 + watchTimeout
)

// With watch the death of a server is seen at once, though it is checked every 10 s. A server whose idle connections
// end stays in the table.
func TestKernelLongWatch(t *testing.T) {
	if os.Getenv("WATCHED_SERVER") != "" {
		serveWatched()
	}
	onlyLong(t)
	const atOnce = 20 * time.Millisecond
	w := newWatchLab(newNetwork(t, 5), 5)
	w.watching("")
	w.does("start")
	w.back()
	for _, fault := range []watchFault{
		{"killed", w.signal(syscall.SIGKILL), w.serve, atOnce, watchInterval, false},
		{"stopped by SIGTERM", w.signal(syscall.SIGTERM), w.serve, atOnce, watchInterval, false},
		{"gone with its namespace", w.gone, w.comes, watchTimeout + atOnce, watchInterval, false},
		{"unplugged", w.link("down"), w.link("up"), 2500*time.Millisecond + watchTimeout,
			3500*time.Millisecond + watchTimeout, false},
		{"frozen", w.signal(syscall.SIGSTOP), w.signal(syscall.SIGCONT), byInterval, byInterval, true},
		{"its listener alone closed", w.tells(closeListen), w.serve, byInterval, byInterval, true},
	} {
		w.fault(fault)
	}
	failed := strings.Count(w.logText(), "Check failed")
	for range 3 { // after five in a row within 5 s a server is no longer watched
		for _, ns := range w.names {
			w.tells(endIdle)(ns)
		}
		w.back()
	}
	if n := strings.Count(w.logText(), "Check failed") - failed; n > 0 {
		t.Errorf("the end of idle connections took out %d servers:\n%s", n, w.logText())
	}
	time.Sleep(5 * time.Second) // an end from now on is again the first in a row
	w.rebooted()
	w.does("stop")
}

// watching writes the file, with more global directives.
func (w *watchLab) watching(more string) (path string) {
	return w.config(fmt.Sprintf("checkinterval = %v\nchecktimeout = %v\nwatch = 1\n%svirtual = %s:80\n"+
		"        service = http\n        request = \"check\"\n        receive = \"OK\"\n%s",
		watchInterval, watchTimeout, more, natVIP, w.reals()))
}

// fault plays a fault with each server. As long as the servers are out too late in a busy guest, it plays the fault
// again when the guest is not busy, up to four times, and the last result counts.
func (w *watchLab) fault(f watchFault) {
	w.t.Helper()
	took, trifle := w.all(f)
	for again := 0; again < 4 && took[len(took)/2] > f.median && trifle > busy; again++ {
		w.t.Logf("%s: out after %v, while a trifle took %v: once more", f.name, took, trifle)
		w.untilCalm()
		took, trifle = w.all(f)
	}
	w.t.Logf("%s: out after %v (median) to %v; a trifle took %v", f.name, took[len(took)/2], took[len(took)-1],
		trifle)
	if took[len(took)/2] > f.median {
		w.t.Errorf("%s: out after %v, the median should be %v; a trifle took %v", f.name, took, f.median,
			trifle)
	}
}

// busy is the time of a trifle in a guest that counts as busy. It is 2 ms in one that is not.
const busy = 2500 * time.Microsecond

// untilCalm waits until the guest is not busy, for a limited time.
func (w *watchLab) untilCalm() {
	for calm, begin := 0, time.Now(); calm < 10 &&
		time.Since(begin) < 30*time.Second; time.Sleep(100 * time.Millisecond) {
		if calm++; w.trifle() > busy {
			calm = 0
		}
	}
}

// all makes each server fail, in as many rounds as WATCH_ROUNDS says. It returns the sorted times until they were out,
// and the median trifle of the same period.
func (w *watchLab) all(f watchFault) (took []time.Duration, trifle time.Duration) {
	w.t.Helper()
	rounds, err := strconv.Atoi(cmp.Or(os.Getenv("WATCH_ROUNDS"), "1"))
	if err != nil || rounds < 1 {
		w.t.Fatalf("WATCH_ROUNDS=%s: %v", os.Getenv("WATCH_ROUNDS"), err)
	}
	var trifles []time.Duration
	for range rounds {
		out, beside := w.each(f)
		took, trifles = append(took, out...), append(trifles, beside...)
	}
	slices.Sort(took)
	slices.Sort(trifles)
	return took, trifles[len(trifles)/2]
}

// each makes each server fail once, then heals all of them.
func (w *watchLab) each(f watchFault) (took, trifles []time.Duration) {
	w.t.Helper()
	begin := time.Now()
	if f.together {
		for _, ns := range w.names {
			f.fail(ns)
		}
	}
	for _, ns := range w.names {
		if !f.together {
			trifles = append(trifles, w.trifle())
			begin = time.Now()
			f.fail(ns)
		}
		for strings.Contains(w.table(), entry(ns)) {
			if time.Since(begin) > f.most {
				w.t.Fatalf("%s: %s is still there after %v:\n%s", f.name, ns, f.most, w.logText())
			}
			time.Sleep(time.Millisecond)
		}
		took = append(took, time.Since(begin))
		trifles = append(trifles, w.trifle())
	}
	for _, ns := range w.names {
		f.heal(ns)
	}
	w.back()
	return took, trifles
}

// rebooted: with fastinterval = 1 and failurecount = 3, a server that is back within 2 s stays in the table. Without
// fastinterval each is out after tenths of a second, and back with the next check of checkinterval.
func (w *watchLab) rebooted() {
	const counted = "failurecount = 3\n"
	w.watching(counted + "fastinterval = 1\n")
	w.does("reload")
	ridden := 0
	for _, ns := range w.names {
		before := len(w.logText())
		if took := w.reboot(ns); took > 1900*time.Millisecond {
			w.t.Logf("rebooted: the guest needs %v for it, which is too long to be ridden over", took)
			w.back()
			continue
		}
		time.Sleep(1200 * time.Millisecond) // the check that decides
		if n, lines := w.changes(before); n > 0 {
			w.t.Errorf("rebooted, fastinterval = 1: a server was taken out:\n%s", lines)
		}
		w.back()
		ridden++
	}
	if w.t.Logf("rebooted, fastinterval = 1: %d of %d ridden over", ridden, len(w.names)); ridden == 0 {
		w.t.Error("rebooted: no server was back in time: the row says nothing")
	}
	w.watching(counted)
	w.does("reload")
	var out, in []time.Duration
	for _, ns := range w.names {
		begin := time.Now()
		w.signal(syscall.SIGKILL)(ns)
		w.until(time.Second, "no "+entry(ns))
		out = append(out, time.Since(begin))
		time.Sleep(500 * time.Millisecond)
		w.serve(ns)
	}
	begin := time.Now()
	for _, ns := range w.names {
		w.untilFrom(begin, byInterval, entry(ns))
		in = append(in, time.Since(begin))
	}
	w.back()
	slices.Sort(out)
	w.t.Logf("rebooted, no fastinterval: out after %v (median) to %v; all are back %v after the last is there",
		out[2], out[4], in[4])
	if out[2] > 400*time.Millisecond {
		w.t.Errorf("rebooted, no fastinterval: out after %v, want three checks 100 ms apart", out)
	}
}

// reboot kills a server and starts it again.
func (w *watchLab) reboot(ns string) time.Duration {
	begin := time.Now()
	w.signal(syscall.SIGKILL)(ns)
	time.Sleep(500 * time.Millisecond)
	w.serve(ns)
	return time.Since(begin)
}
