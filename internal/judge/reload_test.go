package judge

import (
	"strings"
	"testing"

	"ldirectord/internal/lvs"
	"ldirectord/internal/testkit"
)

// reload puts another file in force, with the same servers and checks. The table is read again.
func (p *played) reload(t *testing.T, file string) {
	was := p.Case
	next := *was.Section
	next.Policy, next.Observe = lvs.Policy{}, lvs.NotObserved
	(&Case{Section: &next}).given(file)
	p.Case = Case{Section: &next}
	for _, m := range next.Members {
		p.Servers = append(p.Servers, Server{Member: m})
	}
	p.over(&was)
	for i := range p.Servers { // orders are given again
		if o := was.Servers[i].Order; o != (Order{}) {
			p.Servers[i].Ordered(o)
		}
	}
	for _, l := range was.Departing {
		p.SendOff(l, p.now)
	}
	p.Read(was.Have)
	p.decide()
}

// TestReloadOfAPolicy plays each directive in each state of a server: it happens in the file before, then a reload
// makes it the file after, then more happens. The weights are those after the reload, and at the end, with the time
// until the next decision.
func TestReloadOfAPolicy(t *testing.T) {
	for _, row := range testkit.Table(t, "../../testdata/judge/reload.txt", 6) {
		what, before, does, after, then, want := row[0], row[1], row[2], row[3], row[4], row[5]
		p := playedWith(before)
		p.do(does)
		p.reload(t, after)
		got := p.String()
		if then != "" {
			p.do(then)
			got += ", " + p.String()
		}
		if p.Weigh(); strings.HasPrefix(what, "minservers") && !p.Strength.Enough {
			got += ", too few"
		}
		testkit.Equal(t, got, want, what)
	}
}
