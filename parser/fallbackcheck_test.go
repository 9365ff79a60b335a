package parser

import (
	"fmt"
	"strings"
	"testing"

	"ldirectord/internal/lvs"
	"ldirectord/internal/testkit"
)

// fallbackcheck makes one check of the fallback servers, without anything that concerns the table, or it is warned of.
func TestHowAFallbackIsChecked(t *testing.T) {
	const udp = "virtual=192.0.2.1:80\n\tprotocol=udp\n"
	const local = "\tfallback=127.0.0.1:81\n"
	for _, row := range testkit.Table(t, "../testdata/parser/fallbackcheck.txt", 3) {
		for how, want := range map[string]string{"connect": row[1], "section": row[2]} {
			src := rowOf(row[0])
			for _, src := range []string{src + "\tfallbackcheck=" + how + "\n", "fallbackcheck=" + how +
				"\n" + src} {
				one, got := mustParse(t, src).Virtuals[0].Fallbacks()
				if one != nil {
					got = fmt.Sprintf("%s %d", one.CheckType, one.PortOf(&one.Reals[0]))
					if len(one.Checks()) != 1 || one.CheckVIP.IsValid() || one.Watch.On ||
						one.Observe != 0 || one.Policy != (lvs.Policy{}) {
						t.Errorf("%s: more than its check is left: %+v", src, one)
					}
				} else if !says(t, src, "fallbackcheck has no effect: "+got) {
					t.Errorf("%s: no warning", src)
				}
				testkit.Equal(t, got, want, src)
			}
			if one, why := mustParse(t, "fallbackcheck="+how+"\n"+src+
				"\tfallbackcheck=no\n").Virtuals[0].Fallbacks(); one != nil || why != "" {
				t.Errorf("%s: no is %v, %q", src, one, why)
			}
		}
	}
	both := "fallbackcheck=connect\n" + udp + local + "\treal=192.0.2.2:80 gate\n\tservice=dns\n" +
		"virtual=192.0.2.3:80\n" + local + "\treal=192.0.2.2:80 gate\n"
	if says(t, both, "fallbackcheck has no effect") {
		t.Error("a global one that has an effect in one section is warned of")
	}
	if !says(t, both+"\tfallbackcheck=section\n", "fallbackcheck has no effect: connect needs TCP") {
		t.Error("a global one is not warned of where the only section in which it had an effect has its own")
	}
}

// Further fallback servers come in the order of the file. One that a name leads to once more is left out.
func TestAlsoFallback(t *testing.T) {
	const section = "virtual=192.0.2.1:80\n\treal=192.0.2.2:80 gate\n"
	cfg, found := Parse(t.Context(), "a.cf", []byte("fallback=web1\n"+section+
		"\talsofallback=192.0.2.9:8080 masq\n\talsofallback=192.0.2.8\n"+
		"\talsofallback=10.1.0.1\n\talsofallback=web2\n\talsofallback=web2.example.com\n"+
		"\tfallbackcheck=connect\n"), options(t))
	all := each(cfg.Virtuals[0].AllFallbacks, func(f Real) string { return f.Addr.String() })
	testkit.Equal(t, strings.Join(all, " "), "10.1.0.1:80 192.0.2.9:8080 192.0.2.8:80 10.1.0.2:80")
	testkit.Equal(t, fmt.Sprint(found), "[a.cf:6:15: warning: 10.1.0.1:80 is already a fallback of this virtual, "+
		"and is left out here a.cf:8:15: warning: 10.1.0.2:80 is already a fallback of this virtual, and is "+
		"left out here]")
	many := section + "\tfallbackcheck=connect\n\tfallback=127.0.0.1\n" +
		strings.Repeat("\talsofallback=127.0.0.2\n", 17)
	if !says(t, many, "the section has more than 16 lines of alsofallback") {
		t.Error("17 further fallback servers are taken")
	}
}
