package judge

import (
	"net/netip"
	"strings"
	"testing"

	"ldirectord/internal/lvs"
	"ldirectord/internal/testkit"
)

func markRule(mark uint32, packets string) lvs.MarkRule {
	r := lvs.MarkRule{Mark: mark, Packets: lvs.Packets{Dest: netip.MustParsePrefix(packets + "/32"),
		Protocol: "tcp"}}
	if r.Dest.Addr().Is6() {
		r.Dest = netip.PrefixFrom(r.Dest.Addr(), 128)
	}
	return r
}

// webAt is an address of TCP.
func webAt(addr string) lvs.Key {
	return lvs.Key{Protocol: lvs.TCP, Addr: netip.MustParseAddrPort(addr + ":80")}
}

func holds(key lvs.Key) func(*Marks, *Address) string {
	return func(m *Marks, _ *Address) string { return word(m.Holds(key), "holds") }
}

// asked are the questions of marks.txt.
var asked = map[string]func(*Marks, *Address) string{
	"changed": func(m *Marks, _ *Address) string {
		changed := m.Took(m.Want)
		return word(changed, "changed") + word(!m.Looked || !m.Has(m.Want), " and not noted")
	},
	"does": func(m *Marks, _ *Address) string {
		return strings.TrimSpace(word(m.NeedsOrder(), "order ") + word(m.NeedsLook(), "look ") +
			word(m.IsClear(), "clear"))
	},
	"holds mark":      holds(webKey),
	"holds tcp":       holds(webAt("192.0.2.10")),
	"holds elsewhere": holds(webAt("192.0.2.11")),
	"serve": func(m *Marks, a *Address) string {
		if is, known := m.Serve(nil, a); !is || !known {
			return "a section without rules does not serve"
		}
		is, known := m.Serve([]lvs.MarkRule{markRule(2, "192.0.2.10")}, a)
		return word(is && known, "yes") + word(!is && known, "no") + word(!is && !known, "not known")
	},
}

func TestMarkRules(t *testing.T) {
	rules := map[string]lvs.MarkRule{
		"old": markRule(1, "192.0.2.10"), "new": markRule(2, "192.0.2.10"), "six": markRule(1, "2001:db8::10"),
		"other": markRule(1, "192.0.2.11"), "second": markRule(2, "192.0.2.11"),
	}
	for name, narrow := range map[string]string{"wider": "new", "oldwider": "old"} {
		wide := rules[narrow]
		wide.Protocol = "all"
		rules[name] = wide
	}
	named := func(words string) (all []lvs.MarkRule) {
		for name := range strings.FieldsSeq(words) {
			all = append(all, rules[name])
		}
		return all
	}
	for _, row := range testkit.Table(t, "../../testdata/judge/marks.txt", 6) {
		m := Marks{Kept: true, Want: named(row[2])}
		m.Took(named(row[3]))
		a := &Address{Want: lvs.Wanted{Addr: netip.MustParseAddr("192.0.2.10")}}
		fill(&struct {
			*Marks
			Of *Address
		}{&m, a}, row[4])
		testkit.Equal(t, asked[row[0]](&m, a), row[5], row[0], row[1])
	}
}
