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
				reported := health.Report{Admin: map[string]health.Admin{"asks": health.Drain, "answers": health.Ready}[does]}
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
				p.Result(s, &s.First, does == "passes", map[string]Loss{"fails": NotReached, "lies": WrongAnswer}[does])
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

func TestHoldDown(t *testing.T) {
	for _, row := range []struct {
		what  string
		given string
		does  string
		want  string // the weights, and the time until the next decision
	}{
		{"the first failure costs nothing", "", "1 fails, 5s, 1 passes", "4444"},
		{"the second one", "", "1 fails, 1 passes, 1 fails, 5s, 1 passes", "-444 5s"},
		{"it is over", "", "1 fails, 1 passes, 1 fails, 5s, 1 passes, 5s", "4444"},
		{"it is over while it fails", "", "1 fails, 1 passes, 1 fails, 15s, 1 passes", "4444"},
		{"what fails meanwhile is no further failure", "",
			"1 fails, 1 passes, 1 fails, 1 passes, 5s, 1 fails, 1 passes", "-444 5s"},
		{"the third one costs twice as much", "",
			"1 fails, 1 passes, 1 fails, 1 passes, 10s, 1 fails, 1 passes", "-444 20s"},
		{"no more than the most", "", "1 fails, 1 passes, 1 fails, 1 passes, 10s, 1 fails, 1 passes, 20s, " +
			"1 fails, 1 passes, 40s, 1 fails, 1 passes", "-444 40s"},
		{"long after its return it costs nothing", "", "1 fails, 1 passes, 40s, 1 fails, 1 passes", "4444"},
		{"… and all is forgotten", "",
			"1 fails, 1 passes, 1 fails, 1 passes, 10s, 40s, 1 fails, 1 passes, 1 fails, 1 passes", "-444 10s"},
		{"with quiescent it has weight 0", "quiescent",
			"1 fails, 1 passes, 1 fails, 1 passes", "0444 10s"},
		{"without holddown it comes at once", "holddown=0",
			"1 fails, 1 passes, 1 fails, 1 passes", "4444"},
		{"a server of weight 0 does not wait", "1 weight=0 ordered=4", "1 fails, 1 passes, 1 fails, 1 undo, 1 passes", "0444"},
		{"a reload without holddown ends the wait", "holddown=0, 1 not entered fallen noted turn=1m absent", "0s", "4444"},
		{"two whose time is over come together", "",
			"1 fails, 1 passes, 1 fails, 1 passes, 2 fails, 2 passes, 2 fails, 2 passes, 10s", "4444"},
		{"standing by, it takes servers without a result to serve", "standby, 2 unknown, 3 unknown, 4 unknown", "1 fails, 1 passes, 1 fails, 1 passes", "-444 10s"},
		{"half of them are enough", "", "1 fails, 1 passes, 1 fails, 1 passes, 2 fails, 1s, 2 passes, 1s, 2 fails, 1s, " +
			"2 passes", "--44 7s"},
		{"fewer are not: the one that waits longest comes", "", "1 fails, 1 passes, 1 fails, 2 fails, 2 passes, " +
			"2 fails, 2 passes, 1s, 1 passes, 3 fails", "-4-4 9s"},
		{"as many as the guard says", "keepserving=4",
			"1 fails, 1 passes, 1 fails, 1 passes", "4444"},
		{"as many as minservers says", "minservers.high=4",
			"1 fails, 1 passes, 1 fails, 1 passes", "4444 10s"},
		{"a server that is held does not serve", "keepserving=3",
			"1 fails, 1 passes, 1 fails, 1 passes, 2 fails", "4-44 10s"},
		{"what the guard releases has failed", "keepserving=3",
			"1 fails, 1 passes, 2 fails, 1 fails, 2 passes, 1 passes", "-444 10s"},
		{"a server that the guard lets go because it tells drain has not", "keepserving=3",
			"1 fails, 1 passes, 1 asks, 1 answers", "4444"},
		{"what was held has not", "keepserving=4",
			"1 fails, 1 passes, 1 fails, 1 passes", "4444"},
		{"ready ends it", "", "1 fails, 1 passes, 1 fails, 1 passes, 1 ready", "4444"},
		{"… and all is forgotten", "", "1 fails, 1 passes, 1 fails, 1 passes, 1 ready, 1 fails, 1 passes", "4444"},
		{"a drain is above all", "", "1 fails, 1 passes, 1 fails, 1 passes, 1 drain", "0444"},
		{"… and so is its end", "", "1 fails, 1 passes, 1 fails, 1 passes, 1 drain, 1 undo", "4444"},
		{"a failing server is drained, and held down", "", "1 fails, 1 passes, 1 fails, 1 drain, 1 undo, 1 passes",
			"-444 10s"},
		{"the end of maintenance too", "", "1 fails, 1 passes, 1 fails, 1 passes, 1 file, 1 file", "4444"},
		{"failures during maintenance are none", "",
			"1 fails, 1 passes, 1 file, 1 fails, 1 passes, 1 fails, 1 file, 1 passes", "4444"},
		{"a weight by hand ends it", "", "1 fails, 1 passes, 1 fails, 1 passes, 1 hand", "9444"},
		{"a server that was never in service", "1 unknown not entered absent", "1 fails, 1 passes", "4444"},
	} {
		p := playedWith("holddown=10, " + row.given)
		if p.do(t, row.does); p.String() != row.want {
			t.Errorf("%s: %s, want %s", row.what, p, row.want)
		}
	}
}

func TestPace(t *testing.T) {
	all := "1 fails, 2 fails, 3 fails, 4 fails, "
	for _, row := range []struct {
		what  string
		given string
		does  string
		want  string
	}{
		{"half of them come at once, then one after the other", "", all + "4 passes, 1s, 3 passes, 2 passes, 1 passes",
			"--44 9s"},
		{"… in the order in which they passed", "", all + "4 passes, 3 passes, 10s, 2 passes, 1s, 1 passes", "-444 9s"},
		{"… each in its time", "", all + "4 passes, 1s, 3 passes, 2 passes, 1s, 1 passes, 9s", "-444 10s"},
		{"… until all are in", "", all + "4 passes, 1s, 3 passes, 2 passes, 1s, 1 passes, 9s, 10s", "4444"},
		{"one alone", "", "1 fails, 1 passes", "4444"},
		{"two in a while", "", "1 fails, 2 fails, 1 passes, 2 passes", "4-44 10s"},
		{"two in each", "pace.n=2", "1 fails, 2 fails, 1 passes, 2 passes", "4444"},
		{"half in each", "pace.share=50%",
			"1 fails, 2 fails, 1 passes, 2 passes", "4444"},
		{"the guard wants more", "keepserving=4", "1 fails, 2 fails, 1 passes, 2 passes", "4444"},
		{"a server that waits is needed", "", "1 fails, 2 fails, 1 passes, 2 passes, 3 fails, 4 fails", "44--"},
		{"… while the others are held", "keepserving=2",
			"1 fails, 2 fails, 1 passes, 2 passes, 3 fails, 4 fails", "44--"},
		{"obey lifts it", "", "3 fails, 1 obey, 1 fails, 2 fails, 1 passes, 2 passes", "44-4"},
		{"… also for the last that waits", "", "1 fails, 2 fails, 1 passes, 2 passes, 1 obey", "4444"},
		{"servers without a result that are gone from the table do not serve", "",
			"1 fails, 2 fails, 1 passes, 2 passes, 3 reload, 4 reload, 1 vanishes", "44--"},
		{"standing by", "standby", "1 fails, 2 fails, 1 passes, 2 passes", "4444"},
		{"ready", "", "1 fails, 2 fails, 1 passes, 2 passes, 2 ready", "4444"},
		{"a drain, and its end", "", "1 fails, 2 fails, 1 passes, 2 passes, 2 drain, 2 undo", "4444"},
		{"the end of maintenance", "", "1 file, 2 file, 1 file, 2 file", "4444"},
		{"who fails again makes room", "", "1 fails, 2 fails, 1 passes, 2 passes, 1 fails", "-444"},
		{"held down first, then paced", "holddown=10",
			"1 fails, 1 passes, 1 fails, 9s, 2 fails, 1s, 2 passes, 1 passes", "-444 10s"},
		{"who is not held down comes first", "holddown=10, keepserving=3", "1 fails, 1 passes, 1 fails, 2 fails, 2 passes, 1 passes", "-444 10s"},
		{"a weight by hand", "", "1 fails, 2 fails, 1 passes, 2 passes, 2 hand", "4944"},
	} {
		p := playedWith("pace=1/10, " + row.given)
		if p.do(t, row.does); p.String() != row.want {
			t.Errorf("%s: %s, want %s", row.what, p, row.want)
		}
	}
}

func TestPaceOut(t *testing.T) {
	for _, row := range []struct {
		what  string
		given string
		does  string
		want  string
	}{
		{"one goes at once", "", "1 lies", "-444"},
		{"the next one waits", "", "1 lies, 3s, 2 lies", "-444 7s"},
		{"… and goes in its time", "", "1 lies, 3s, 2 lies, 3 lies, 7s", "--44 10s"},
		{"… as the last one", "", "1 lies, 2 lies, 3 lies, 4 lies, 10s, 10s, 10s", "----"},
		{"who can't be connected goes at once", "", "1 lies, 2 fails, 3 fails", "---4"},
		{"… before who waits", "", "1 lies, 2 lies, 3 fails", "-4-4 10s"},
		{"who passes again stays", "", "1 lies, 2 lies, 2 passes, 10s", "-444"},
		{"two in each", "paceout.n=2", "1 lies, 2 lies, 3 lies", "--44 10s"},
		{"a reload", "", "1 lies, 2 lies, 3s, 3 reload", "-444 7s"},
		{"… and it continues", "", "1 lies, 2 lies, 3s, 3 reload, 7s", "--44"},
		{"… with who had no result yet", "", "1 lies, 3s, 3 reload, 3 lies", "-444 7s"},
		{"the guard holds beyond", "keepserving=3", "1 lies, 2 lies, 10s", "-444"},
		{"… and who it lets go waits", "keepserving=2", "1 lies, 2 lies, 3 lies, 5s", "-444 5s"},
		{"obey lifts it", "", "1 lies, 2 lies, 3 lies, 1 obey", "---4"},
		{"standing by", "standby", "1 lies, 2 lies", "--44"},
		{"a drain", "", "1 lies, 2 lies, 2 drain", "-044"},
		{"maintenance", "", "1 lies, 2 lies, 2 file", "--44"},
		{"without it", "paceout=0", "1 lies, 2 lies", "--44"},
		{"none is left that passes: the last one waits too", "", "1 fails, 2 fails, 3 lies, 4 lies", "---4 10s"},
		{"it comes back at the pace", "pace=1/5",
			"1 lies, 2 lies, 10s, 1 passes, 2 passes", "4-44 5s"},
	} {
		p := playedWith("paceout=1/10, " + row.given)
		if p.do(t, row.does); p.String() != row.want {
			t.Errorf("%s: %s, want %s", row.what, p, row.want)
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
