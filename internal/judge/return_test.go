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

func (p *played) decide() {
	d := Decide(p.Case, p.now)
	p.Adopt(d.State)
	p.Wrote(lvs.DestsOf(d.Places))
	p.again = d.Again
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
func playedWith(script string, weights ...uint32) *played {
	if weights == nil {
		weights = []uint32{4, 4, 4, 4}
	}
	p := &played{Case: inService(weights...), now: noon}
	p.given(script)
	p.decide()
	return p
}

// The rows of each directive, which four servers have.
func TestPolicies(t *testing.T) {
	for name, file := range map[string]string{
		"comeback": "comeback=order", "holddown": "holddown=10", "observe": "holddown=10, observe=out",
		"pace": "pace=1/10", "paceout": "paceout=1/10",
	} {
		for _, row := range testkit.Table(t, "../../testdata/judge/"+name+".txt", 4) {
			p := playedWith(file + ", " + row[1])
			p.do(t, row[2])
			testkit.Equal(t, p.String(), row[3], name, row[0])
		}
	}
}

// A server whose name moves counts once among those that serve. The one at the former address goes when the other
// comes.
func TestPaceWhileANameMoves(t *testing.T) {
	p := playedWith("minservers.high=3, pace=1/10, 5 moved=1, 1 unknown not entered absent", 4, 4, 4, 4, 4)
	for _, step := range [][2]string{
		{"2 fails, 3 fails, 4 fails", "----4"},
		{"3 passes, 1s, 2 passes, 4 passes", "-44-4 9s"}, // three of four serve
		{"1 passes", "444-- 9s"},
		{"10s", "4444-"},
	} {
		if p.do(t, step[0]); p.String() != step[1] {
			t.Errorf("%s: %s, want %s", step[0], p, step[1])
		}
	}
}

// Two servers at former addresses have a weight by order, those at the new addresses have weight 0 in the file. The
// percentage is of no servers, but one server returns nevertheless.
func TestPaceWithWeightsAtFormerAddresses(t *testing.T) {
	c := inService(0, 0, 0, 0)
	c.given("pace=25%/10")
	for i := range 2 {
		c.Members[i].MovedTo, c.Servers[i].Order = int32(i+2), Order{Kind: Weigh, Weight: 4}
		c.says(i, health.Up)
		c.says(i+2, health.Unknown)
	}
	c.given("1 table=4 entered, 2 fallen")
	testkit.Equal(t, placed(&proposal{Decision: Decision{Places: Decide(c, noon).Places}}), "1:4, 2:4, 3:0, 4:0",
		"the table is to")
}
