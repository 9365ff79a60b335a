package core

import (
	"testing"
	"time"

	"ldirectord/internal/lvs"
	"ldirectord/internal/orders"
)

// A reload adds, changes or takes away watch in each state of a server: a connection is there while all checks pass.
// Without the directive nothing is watched.
func TestReloadOfWatch(t *testing.T) {
	const server = "10.2.0.1:80"
	turns := func(states ...bool) func(*world) {
		return func(w *world) {
			for _, ok := range states {
				w.results(ok, server)
				w.pass(time.Second)
			}
		}
	}
	const watched = `
yes
10.2.0.1:80 is watched, silence 0s
5
10.2.0.1:80 is not watched
10.2.0.1:80 is watched, silence 5s
no
10.2.0.1:80 is not watched`
	const never = "\nyes\n5\nno"
	var rows []row
	for _, state := range []struct {
		what, file string
		does       func(*world)
		want       string
	}{
		{"in service", "", turns(), watched},
		{"out", "", turns(false), never},
		{"waits", "holddown = 60\n", turns(false, true, false, true), watched},
		{"climbs", "slowstart = 60\n", turns(false, true), watched},
		{"held", "keepserving = 2\n", turns(false), never},
		{"drains", "", func(w *world) {
			w.Order(w.now,
				orders.All{lvs.At("tcp:10.1.0.1:80", server): {Kind: orders.Drain}})
		}, watched},
	} {
		file := "checkinterval = 10\n" + state.file + "virtual = 10.1.0.1:80\n" + real(1) +
			"\treal = 10.2.0.9:80 masq 4\n\tchecktype = connect\n"
		rows = append(rows, row{state.what, file, func(w *world) {
			state.does(w)
			for _, watch := range []string{"yes", "5", "no"} {
				w.note("%s", watch)
				w.reload(file + "\twatch = " + watch + "\n")
			}
		}, "claim read log - answered moving rules counters 10.2.0.9", state.want})
	}
	play(t, rows)
}
