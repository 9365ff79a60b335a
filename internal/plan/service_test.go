package plan

import (
	"fmt"
	"net/netip"
	"testing"

	"ldirectord/internal/judge"
	"ldirectord/internal/testkit"
	"ldirectord/parser"
)

// The entries of a service in their order: those of the file, those that left it and stay, those that moved away and
// serve, the fallback server. A server that is in the file neither stays nor moved away.
func TestTheEntriesOfAService(t *testing.T) {
	const file = "virtual = 10.1.0.1:80\n\treal = 10.2.0.1:80 gate\n\treal = 10.2.0.2:80 gate\n" +
		"\tchecktype = connect\n" +
		"\tfallback = 10.2.0.9:80\n\tfallbackcheck = connect\n\tcheckvip = yes\n"
	cfg, found := parser.Parse(t.Context(), "t.cf", []byte(file), parser.Options{})
	if found.HasErrors() {
		t.Fatal(found)
	}
	at := func(addr string) parser.Real { return parser.Real{Addr: netip.MustParseAddrPort(addr), Weight: 1} }
	section := cfg.Virtuals[0]
	section.Staying = []parser.Real{at("10.2.0.2:80"), at("10.2.0.3:80"), at("10.2.0.3:80"),
		at("10.2.0.4:80")}
	section.Reals[1].Named = &parser.Named{Host: "web", Followed: true,
		Earlier: []parser.Real{at("10.2.0.5:80"), at("10.2.0.1:80"), at("10.2.0.5:80")}}
	p, _ := New(cfg, neverChecked)
	s := p.Services[0]
	const stay = "10.2.0.1:80 at 0, way\nweb:80 at 1, way\n10.2.0.3:80 at 2, way, stays\n" +
		"10.2.0.4:80 at 3, way, stays\n"
	const moved, fallback = "10.2.0.5:80 at 4, way, moved to 1\n", "10.2.0.9:80 at 0, fallback\n"
	for i, want := range []string{stay + fallback, stay + moved + fallback, stay + fallback} {
		now := s
		if i == 1 {
			now = s.With(s.Earlier...)
		}
		testkit.Equal(t, entriesOf(now), want, i)
	}
	testkit.Equal(t, len(s.on(netip.MustParseAddr("10.2.0.5"))), 1, "at a former address")
}

func entriesOf(s *Service) (text string) {
	states := make([]judge.Server, len(s.Entries))
	s.Unknown(states)
	for i, e := range s.Entries {
		text += fmt.Sprintf("%s at %d", e.Name(), e.At)
		if states[i].First.Way != nil {
			text += ", way"
		}
		if s.Stays(e) {
			text += ", stays"
		}
		if e.MovedTo >= 0 {
			text += fmt.Sprintf(", moved to %d", e.MovedTo)
		}
		if e.Fallback {
			text += ", fallback"
		}
		text += "\n"
	}
	return text
}

func TestServicesThatAnOperatorMeans(t *testing.T) {
	p, _ := planned(t, lines("virtual = 10.1.0.1:80", "real = 10.2.0.1:80 gate 3", "checktype = connect")+
		lines("virtual = 3", "real = 10.2.0.1:80 gate", "checktype = connect"), neverChecked)
	for word, want := range map[string]int{"": 2, "tcp:10.1.0.1:80": 1, "10.1.0.1:80": 1, "3": 1, "fwm:3": 1,
		"tcp:3": 0} {
		testkit.Equal(t, len(p.ServicesOf(word)), want, "virtual services of", word)
	}
}
