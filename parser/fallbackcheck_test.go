package parser

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"ldirectord/internal/lvs"
	"ldirectord/internal/testkit"
)

// fallbackcheck makes one check of the fallback servers, without anything that concerns the table, or it is warned of.
func TestHowAFallbackIsChecked(t *testing.T) {
	const tcp, udp, mark = "virtual=192.0.2.1:80\n", "virtual=192.0.2.1:80\n\tprotocol=udp\n", "virtual=1\n"
	const local = "\tfallback=127.0.0.1:81\n"
	for _, row := range []struct {
		head, lines      string
		connect, section string // the check and its port; otherwise why there is none
	}{
		{tcp + local, "service=http", "connect 81", "negotiate 81"},
		{tcp + local, "checkport=82", "connect 81", "negotiate 82"},
		{tcp + local, "checktype=connect", "connect 81", "connect 81"},
		{tcp + local, "checktype=3", "connect 81", "combined 81"},
		{tcp + local, "checktype=ping", "connect 81", "ping 81"},
		{tcp + local, "checktype=external\n\tcheckcommand=/bin/false", "connect 81", "external 81"},
		{tcp + local, "alsocheck=connect 83\n\tagentport=84\n\tcheckvip=192.0.2.1\n\twatch=yes\n\tobserve=yes\n\tkeepserving=1\n\tslowstart=9", "connect 81", "negotiate 81"},
		{tcp + local, "checktype=on", "connect 81", "checktype=on checks nothing"},
		{tcp + local, "checktype=off", "connect 81", "checktype=off checks nothing"},
		{"fallback=127.0.0.1:81\n" + tcp, "checktype=off", "with checktype=off the global fallback never serves", "with checktype=off the global fallback never serves"},
		{"fallback=127.0.0.1\n" + tcp, "", "connect 80", "negotiate 80"},
		{tcp, "", "there is no fallback", "there is no fallback"},
		{tcp + local, "service=none", "connect 81", "service=none checks nothing"},
		{tcp + local, "service=none\n\tchecktype=2", "connect 81", "combined 81"},
		{udp + local, "service=dns", "connect needs TCP, and the service is of udp; section makes the section's own check", "negotiate 81"},
		{udp + local, "checktype=connect", "connect needs TCP, and the service is of udp; section makes the section's own check", "connect 81"},
		{mark + "\tfallback=127.0.0.1\n", "checktype=connect", "a fallback has no port", "a fallback has no port"},
		{mark + "\tfallback=127.0.0.1\n", "checktype=ping", "a fallback has no port", "ping 0"},
		{mark + "\tfallback=127.0.0.1\n", "service=http", "connect 80", "negotiate 80"},
	} {
		for how, want := range map[string]string{"connect": row.connect, "section": row.section} {
			src := row.head + "\treal=192.0.2.2:80 gate\n\t" + row.lines + "\n"
			for _, src := range []string{src + "\tfallbackcheck=" + how + "\n", "fallbackcheck=" + how + "\n" + src} {
				one, got := mustParse(t, src).Virtuals[0].Fallbacks()
				if one != nil {
					got = fmt.Sprintf("%s %d", one.CheckType, one.PortOf(&one.Reals[0]))
					if len(one.Checks()) != 1 || one.CheckVIP.IsValid() || one.Watch.On || one.Observe != 0 || one.Policy != (lvs.Policy{}) {
						t.Errorf("%s: more than its check is left: %+v", src, one)
					}
				} else if !says(t, src, "fallbackcheck has no effect: "+got) {
					t.Errorf("%s: no warning", src)
				}
				testkit.Equal(t, got, want, src)
			}
			if one, why := mustParse(t, "fallbackcheck="+how+"\n"+src+"\tfallbackcheck=no\n").Virtuals[0].Fallbacks(); one != nil || why != "" {
				t.Errorf("%s: no is %v, %q", src, one, why)
			}
		}
	}
	both := "fallbackcheck=connect\n" + udp + local + "\treal=192.0.2.2:80 gate\n\tservice=dns\n" + "virtual=192.0.2.3:80\n" + local + "\treal=192.0.2.2:80 gate\n"
	if says(t, both, "fallbackcheck has no effect") {
		t.Error("a global one that has an effect in one section is warned of")
	}
	if !says(t, both+"\tfallbackcheck=section\n", "fallbackcheck has no effect: connect needs TCP") {
		t.Error("a global one is not warned of where the only section in which it had an effect has its own")
	}
}

// Further fallback servers come in the order of the file. Each mistake has its line.
func TestAlsoFallback(t *testing.T) {
	const section = "virtual=192.0.2.1:80\n\treal=192.0.2.2:80 gate\n"
	cfg, found := parseText(t, "fallback=127.0.0.1\n"+section+"\talsofallback=192.0.2.9:8080 masq\n\talsofallback=192.0.2.8\n"+
		"\tfallbackcheck=connect\n")
	if all := cfg.Virtuals[0].AllFallbacks(); len(found) > 0 || len(all) != 3 || all[1].Addr.String() != "192.0.2.9:8080" ||
		all[1].Forward != lvs.Masq || all[2].Addr.String() != "192.0.2.8:80" {
		t.Errorf("%v, %v", all, found)
	}
	checked := section + "\tfallbackcheck=connect\n"
	for src, want := range map[string]string{
		checked + "\talsofallback=127.0.0.1\n":                                                 "ld.cf:4:15: error: alsofallback is given without fallback",
		checked + "\tfallback=127.0.0.1\n\talsofallback=127.0.0.1:80\n":                        "ld.cf:5:15: error: 127.0.0.1:80 is a fallback of this virtual already",
		checked + "\tfallback=127.0.0.1\n\talsofallback=127.0.0.2\n\talsofallback=127.0.0.2\n": "ld.cf:6:15: error: 127.0.0.2:80 is a fallback of this virtual already",
		checked + "\tfallback=127.0.0.1\n\talsofallback=127.0.0.2 nat\n":                       "ld.cf:5:15: error: \"nat\" is not a forwarding method",
		section + "\tfallback=127.0.0.1\n\talsofallback=127.0.0.2\n":                           "ld.cf:4:15: warning: alsofallback has no effect without fallbackcheck",
		checked + "\tfallback=127.0.0.1\n" + strings.Repeat("\talsofallback=127.0.0.2\n", 17):  "ld.cf:21:15: error: the section has more than 16 lines of alsofallback",
	} {
		_, found := parseText(t, src)
		if !slices.ContainsFunc(found, func(d Diagnostic) bool { return strings.HasPrefix(d.String(), want) }) {
			t.Errorf("%v\nwant %s", found, want)
		}
	}
}
