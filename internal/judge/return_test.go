package judge

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"ldirectord/internal/lvs"
	"ldirectord/internal/testkit"
)

// played is a section whose decisions are written to its table as time passes.
type played struct {
	Case
	now   time.Time
	again time.Time
}

func (p *played) decide() Decision {
	d := Decide(p.Case, p.now)
	p.Adopt(d.State)
	p.Wrote(lvs.DestsOf(d.Places))
	p.again = d.Again
	return d
}

// do makes things happen, one after the other: a duration lets time pass.
func (p *played) do(events string) {
	for event := range strings.SplitSeq(events, ", ") {
		if d, err := time.ParseDuration(event); err == nil {
			p.now = p.now.Add(d)
		} else {
			p.given(event)
		}
		p.decide()
	}
}

func (p *played) String() string {
	text := ""
	for i := range p.Servers {
		weight, in := p.WeightAt(at(byte(i + 1)))
		if text += fmt.Sprint(weight); !in {
			text = text[:len(text)-1] + "-"
		}
	}
	if p.again.After(p.now) {
		text += " " + p.again.Sub(p.now).String()
	}
	return text
}

// playedWith has four servers of weight 4, unless others are given.
func playedWith(script string) *played {
	p := &played{Case: inService(4, 4, 4, 4), now: noon}
	p.given(script)
	p.decide()
	return p
}

// The rows of each directive, which four servers have.
func TestPolicies(t *testing.T) {
	for name, file := range map[string]string{
		"comeback": "comeback=order", "cut": "", "holddown": "holddown=10",
		"observe": "holddown=10, observe=out", "pace": "pace=1/10", "paceout": "paceout=1/10",
	} {
		for _, row := range testkit.Table(t, "../../testdata/judge/"+name+".txt", 4) {
			p := playedWith(file + ", " + row[1])
			var got []string
			for step := range strings.SplitSeq(row[2], "; ") {
				p.do(step)
				got = append(got, p.String())
			}
			testkit.Equal(t, strings.Join(got, "; "), row[3], name, row[0])
		}
	}
}

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
