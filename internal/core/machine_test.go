package core

import (
	"strings"
	"testing"
	"time"

	"ldirectord/internal/judge"
	"ldirectord/internal/view"
)

// What looks at this machine find, one after the other, and what is shown, told and announced of it.
func TestLooksAtThisMachine(t *testing.T) {
	forward := view.Condition{Kind: "forwarding", Trouble: judge.Broken, Text: "no forwarding"}
	card := view.Condition{Kind: "server-card", Trouble: judge.Broken, Text: "eth1 is down"}
	other := view.Condition{Kind: "server-card", Trouble: judge.Broken, Text: "eth2 is down"}
	full := view.Condition{Kind: "conntrack-full", Trouble: judge.Doubt, Text: "conntrack is full"}
	type look struct {
		found []view.Condition
		want  string // what is shown, and where the address is
	}
	on := "announce = lvs0\nlastresort = lvs1\nwithdrawon = broken\n"
	for _, row := range []struct {
		what, file string
		looks      []look
		logs       int // how many lines were told
	}{
		{"two looks are too few", on, []look{
			{[]view.Condition{forward}, "no forwarding; lvs0"},
			{[]view.Condition{forward}, "no forwarding; lvs0"},
			{nil, "; lvs0"},
			{[]view.Condition{forward}, "no forwarding; lvs0"},
			{[]view.Condition{forward}, "no forwarding; lvs0"},
		}, 3},
		{"three are enough, whichever of two it is, and one that finds none ends it", on, []look{
			{[]view.Condition{forward}, "no forwarding; lvs0"},
			{[]view.Condition{forward, card}, "no forwarding, eth1 is down; lvs0"},
			{[]view.Condition{card}, "eth1 is down; lvs1: eth1 is down"},
			{[]view.Condition{other}, "eth2 is down; lvs1: eth2 is down"},
			{nil, "; lvs0"},
		}, 4},
		{"the table of connections is full", on, []look{
			{[]view.Condition{full}, "conntrack is full; lvs0"},
			{[]view.Condition{full}, "conntrack is full; lvs0"},
			{[]view.Condition{full}, "conntrack is full; lvs0"},
			{[]view.Condition{full}, "conntrack is full; lvs0"},
			{nil, "conntrack is full; lvs0"},
		}, 1},
		{"withdrawon = no", strings.Replace(on, "broken", "no", 1), []look{
			{[]view.Condition{card}, "eth1 is down; lvs0"},
			{[]view.Condition{card}, "eth1 is down; lvs0"},
			{[]view.Condition{card}, "eth1 is down; lvs0"},
			{[]view.Condition{card}, "eth1 is down; lvs0"},
		}, 1},
	} {
		w := newWorld(t)
		w.start(row.file + web(1))
		for i, l := range row.looks {
			w.pass(time.Second)
			w.Looked(w.now, l.found)
			w.step()
			s := w.Snapshot(w.now)
			var shown []string
			for _, c := range s.Conditions {
				shown = append(shown, c.Text)
			}
			got := strings.Join(shown, ", ") + "; " + s.Announcements[0].On
			if s.Announcements[0].Why != "" {
				got += ": " + s.Announcements[0].Why
			}
			if got != l.want {
				t.Errorf("%s: after look %d: %q, want %q", row.what, i+1, got, l.want)
			}
		}
		logs := 0
		for _, line := range w.did {
			if strings.HasPrefix(line, "log machine-") {
				logs++
			}
		}
		if logs != row.logs {
			t.Errorf("%s: %d lines, want %d: %q", row.what, logs, row.logs, w.did)
		}
	}
}
