package parser

import (
	"testing"
	"time"

	"ldirectord/internal/testkit"
)

// watch applies to some checks of a section only. It also sets how long their connections may be silent.
func TestWhichChecksAreWatched(t *testing.T) {
	for _, row := range testkit.Table(t, "../testdata/parser/watch.txt", 3) {
		src := rowOf(row[0])
		holdWatch(t, "watch=5\n"+src, row[1] == "yes")
		holdWatch(t, src+"\twatch=5\n", row[2] == "yes")
		holdWatch(t, src+"\twatch=no\n", false)
		holdWatch(t, src+"\twatch=5\n\twatch=no\n", false)
	}
	if v := mustParse(t, "watch=yes\nvirtual=1\n\treal=192.0.2.2 masq\n\tchecktype=connect\n").
		Virtuals[0]; v.Watches(&v.Reals[0]) {
		t.Error("a server without a port is watched")
	}
	for text, silence := range map[string]time.Duration{"yes": 0, "1": time.Second, "2m": 2 * time.Minute} {
		if w := mustParse(t, "watch="+text+"\n").Global.Watch; w.Silence != silence || !w.On {
			t.Errorf("%s: %+v", text, w)
		}
	}
	if shown := asJSON(t, mustParse(t, "watch=2m\n"))["global"].(object)["watch"]; shown != "120s" {
		t.Errorf("JSON: %v", shown)
	}
}

func holdWatch(t *testing.T, src string, want bool) {
	t.Helper()
	v := mustParse(t, src).Virtuals[0]
	testkit.Equal(t, v.Watches(&v.Reals[0]), want, src, "watched")
}
