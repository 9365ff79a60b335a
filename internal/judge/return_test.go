package judge

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"ldirectord/internal/health"
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

// do makes things happen, as in "1 fails, 2 passes, 3 ready, 10s": a number is a server, a duration lets time pass.
func (p *played) do(t *testing.T, what string) {
	t.Helper()
	for word := range strings.SplitSeq(what, ", ") {
		var i int
		var does string
		if d, err := time.ParseDuration(word); err == nil {
			p.now = p.now.Add(d)
		} else if word == "unobserved" {
			p.Observe = lvs.Reported
		} else if n, _ := fmt.Sscan(word, &i, &does); n < 2 {
			t.Fatal(word)
		} else {
			s := &p.Servers[i-1]
			switch does {
			case "ready":
				s.Forgive()
			case "obey":
				p.Obey(true)
			case "drain":
				s.Ordered(Order{Kind: Drain})
			case "maint":
				s.Ordered(Order{Kind: Maint})
			case "undo":
				s.Ordered(Order{})
			case "file":
				s.Maintained(!s.File)
			case "asks", "answers": // its check passes; the answer says drain or ready
				reported := health.Report{
					Admin: map[string]health.Admin{"asks": health.Drain,
						"answers": health.Ready}[does]}
				Report(&p.Case, s, &s.First, reported)
				p.Result(s, &s.First, true, 0)
			case "reload": // its check is replaced by another one
				was := p.Case
				p.Case = Case{Section: was.Section, State: State{Have: was.Have}}
				for _, m := range was.Members {
					p.Servers = append(p.Servers, Server{Member: m})
				}
				p.Carry(&was, true, func(k int) int { return k }, func(k, _ int) *Check {
					if k == i-1 {
						return nil
					}
					return &was.Servers[k].First
				})
			case "looks": // it is suspected at a look, and others got answers
				Observed(s, seen(true, true, false))
			case "wonders": // it is suspected, and others got no answers either
				Observed(s, seen(true, false, false))
			case "answered":
				Observed(s, seen(false, true, true))
			case "rests": // it has no clients
				Observed(s, seen(false, true, false))
			case "vanishes": // the virtual service is removed, with all servers
				p.Vanished()
			case "hand": // an operator gives it a weight
				p.has(byte(i), 9)
				p.Changed(at(byte(i)), true, false)
			default:
				p.Result(s, &s.First, does == "passes",
					map[string]Loss{"fails": NotReached, "lies": WrongAnswer}[does])
			}
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
				p.do(t, step)
				got = append(got, p.String())
			}
			testkit.Equal(t, strings.Join(got, "; "), row[3], name, row[0])
		}
	}
}
