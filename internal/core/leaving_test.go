package core

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"ldirectord/internal/lvs"
)

// A server that has left is forgotten: nothing of it is recorded for the next daemon, and its connections are no longer
// counted.
func TestAServerThatHasLeftIsForgotten(t *testing.T) {
	const second = "10.2.0.2:80"
	before := "draintime = 60\n" + web(1)
	// with gate, two ports are one entry of the table
	back := strings.Replace(before, real(2), real(2)+"\treal = 10.2.0.2:81 gate 4\n", 1)
	var rows []row
	for what, leaves := range map[string]func(*world){
		"no connections": func(w *world) { w.carries = nil },
		"by hand":        func(w *world) { w.hand(lvs.DelDest, second, 0) },
		"put back":       func(w *world) { w.reload(back) },
		"stands by":      func(w *world) { w.SetStandby(w.now, true) },
		"time over":      func(w *world) { w.pass(time.Minute) },
	} {
		rows = append(rows, row{what, before, func(w *world) {
			w.carries = map[netip.AddrPort]lvs.Counters{netip.MustParseAddrPort(second): {Active: 1}}
			w.reload(back)
			w.reload(strings.Replace(before, real(2), "", 1))
			w.pass(3 * time.Second)
			counted := strings.Count(w.saw("- ", "answered"), "counters")
			leaves(w)
			w.pass(12 * time.Second)
			got := w.saw()
			if counted == 0 || strings.LastIndex(got, "counters") > strings.LastIndex(got, "leavers 0") {
				w.Errorf("counted %d times, then\n%s", counted, got)
			}
			w.pass(time.Minute)
		}, "rules read log", ``})
	}
	play(t, rows)
}
