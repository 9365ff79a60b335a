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
