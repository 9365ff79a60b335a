package parser

import (
	"testing"
	"time"

	"ldirectord/internal/testkit"
)

// watch applies to some checks of a section only. It also sets how long their connections may be silent.
func TestWhichChecksAreWatched(t *testing.T) {
	const tcp, udp, mark = "virtual=192.0.2.1:80\n", "virtual=192.0.2.1:80\n\tprotocol=udp\n", "virtual=1\n"
	for _, row := range []struct {
		head, lines string
		global, own bool // watched with a global watch; watched with the section's own
	}{
		{tcp, "", true, true}, // http
		{tcp, "checktype=connect", true, true},
		{tcp, "checktype=3", true, true},
		{tcp, "checktype=ping", false, false},
		{tcp, "checktype=external", false, false},
		{tcp, "checktype=external-perl", false, false},
		{tcp, "checktype=on", false, false},
		{tcp, "checktype=off", false, false},
		{tcp, "service=none", false, false},
		{tcp, "service=dns", true, true},
		{tcp, "service=radius", false, false},
		{tcp, "service=sip", true, true},
		{tcp, "service=mysql\n\tlogin=\"a\"", false, true},
		{tcp, "service=smtp", false, true},
		{tcp, "service=pgsql", true, true},
		{tcp, "checktype=connect\n\tcheckport=22", false, true},
		{tcp, "checktype=connect\n\tcheckport=110", false, true},
		{udp, "checktype=connect", false, false},
		{udp, "service=dns", false, false},
		{udp, "service=https", false, false},
		{mark, "service=dns", false, false},
		{mark, "service=http", true, true},
	} {
		for _, own := range []bool{false, true} {
			src := row.head + "\treal=192.0.2.2:80 masq\n\t" + row.lines + "\n"
			if want := row.global; own {
				src, want = src+"\twatch=5\n", row.own
				holdWatch(t, src, want)
			} else {
				holdWatch(t, "watch=5\n"+src, want)
			}
			holdWatch(t, src+"\twatch=no\n", false)
		}
	}
	if v := mustParse(t, "watch=yes\n"+mark+"\treal=192.0.2.2 masq\n\tchecktype=connect\n").Virtuals[0]; v.Watches(
		&v.Reals[0]) {
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
