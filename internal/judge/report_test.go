package judge

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"ldirectord/internal/health"
	"ldirectord/internal/lvs"
)

// talk is a section whose servers give words in their answers. It is decided and written after each step.
type talk struct {
	Case
	now time.Time
}

// step makes something happen to a server. "1 drain" is an answer with a word, "1 fail" and "1 wrong" are failures of
// its check, "1 order drain" is an order. It returns the table.
func (c *talk) step(t *testing.T, step string) string {
	t.Helper()
	what, rest, _ := strings.Cut(step, " ")
	n, is := 0, error(nil)
	if _, is = fmt.Sscan(what, &n); is == nil {
		c.happens(t, &c.Servers[n-1], rest)
	}
	switch what {
	case "obey":
		c.Obey(true)
	case "quiescent":
		c.Quiescent = true
	case "restart":
		c.restart()
	}
	c.now = c.now.Add(time.Second)
	d := Decide(c.Case, c.now)
	c.Adopt(d.State)
	c.Wrote(lvs.DestsOf(d.Places))
	return placed(&proposal{Decision: Decision{Places: d.Places}})
}

func (c *talk) happens(t *testing.T, s *Server, what string) {
	word, rest, _ := strings.Cut(what, " ")
	reported := health.Report{}
	ok, loss, check := true, WrongAnswer, &s.First
	switch word {
	case "fail", "wrong":
		if ok = false; word == "fail" {
			loss = NotReached
		}
	case "order":
		s.Ordered(Order{Kind: map[string]OrderKind{"ready": None, "drain": Drain, "maint": Maint}[rest]})
		return
	case "deep":
		s.More[0].Health = health.Assume(map[string]health.State{"up": health.Up, "down": health.Down}[rest])
		return
	case "silent":
		reported.Silent = true
	case "hand":
		c.Have.Put(lvs.Dest{Addr: s.Dest.Addr, Weight: 7})
		c.Changed(s.Dest.Addr, true, false)
		return
	default:
		var known bool
		if reported, known = health.ReadAgent(what); !known {
			t.Fatalf("%q is neither a step nor a word of an agent", what)
		}
		ok = reported.State != health.Down
	}
	if ok || reported != (health.Report{}) {
		Report(&c.Case, s, check, reported)
	}
	c.Result(s, check, ok && !check.Telling.Down, loss)
}

// restart ends the daemon and starts the next one, which reads the record.
func (c *talk) restart() {
	var was []Record
	for i := range c.Servers {
		s := &c.Servers[i]
		was = append(was, Record{Of: s.Weight(), Weight: c.Have.Weight(s.Dest.Addr), Reports: SpokenBy(s), Memory: s.Memory})
		*s = Server{Member: s.Member, More: make([]Check, len(s.More))}
		for k := range s.More {
			s.More[k].Line, s.More[k].Part = uint8(k+1), 50
		}
		if c.Have.Weight(s.Dest.Addr) > 0 {
			s.Assume()
		}
	}
	for i := range c.Servers {
		s := &c.Servers[i]
		c.Resume(s, was[i], c.Have.Weight(s.Dest.Addr), c.now)
	}
}

// Steps are divided by semicolons, and so are the tables that follow them.
func TestWhatAServerTells(t *testing.T) {
	for _, row := range []struct {
		what    string
		rule    health.Rule
		weights []uint32
		guard   bool
		steps   string
		want    string
	}{
		{"drain, then ready", once, []uint32{4, 4}, false, "1 drain; 1 50%; 1 ready; 1 100%",
			"1:0, 2:4; 1:0, 2:4; 1:2, 2:4; 1:4, 2:4"},
		{"no more than its weight, and rounded up", once, []uint32{4, 3}, false, "1 400%; 2 1%; 2 34%; 2 0%",
			"1:4, 2:3; 1:4, 2:1; 1:4, 2:2; 1:4, 2:0"},
		{"maint is out, also with quiescent", once, []uint32{4, 4}, false, "1 maint; quiescent; 1 ready",
			"2:4; 1:0, 2:4; 1:4, 2:4"},
		{"its words lift no failed check", once, []uint32{4, 4}, false, "1 fail; 1 wrong; 2 fail; 2 up ready 100%",
			"2:4; 2:4; 9:1; 2:4"},
		{"a server that fails and reports drain is down", once, []uint32{4, 4}, false, "1 fail; 1 down drain; 1 drain",
			"2:4; 2:4; 2:4"},
		{"one that was never up does not enter by drain", once, []uint32{0, 4}, false, "1 drain; 1 ready",
			"1:0, 2:4; 1:0, 2:4"},
		{"one that comes back with drain waits for ready", twice, []uint32{4, 4}, false,
			"1 fail; 1 fail; 1 drain; 1 drain; 1 ready", "1:4, 2:4; 2:4; 2:4; 2:4; 1:4, 2:4"},
		{"… with quiescent at weight 0", once, []uint32{4, 4}, false, "quiescent; 1 fail; 1 drain; 1 ready",
			"1:4, 2:4; 1:0, 2:4; 1:0, 2:4; 1:4, 2:4"},
		{"one stray answer moves nothing", twice, []uint32{4, 4}, false, "1 drain; 1 ready; 1 drain; 1 drain; 1 ready",
			"1:4, 2:4; 1:4, 2:4; 1:4, 2:4; 1:0, 2:4; 1:4, 2:4"},
		{"all drain without a guard", once, []uint32{4, 4}, false, "1 drain; 2 drain; 2 ready",
			"1:0, 2:4; 1:0, 2:0, 9:1; 1:0, 2:4"},
		{"the guard holds the last one", once, []uint32{4, 4}, true, "1 drain; 2 drain; 1 ready; 2 ready",
			"1:0, 2:4; 1:0, 2:4; 1:4, 2:0; 1:4, 2:4"},
		{"… with its percentage, or 1 at least", once, []uint32{4, 4}, true, "1 drain; 2 50% drain; 2 0%; 2 100%",
			"1:0, 2:4; 1:0, 2:2; 1:0, 2:1; 1:0, 2:4"},
		{"… also of those that report maint", once, []uint32{4, 4}, true, "1 maint; 2 maint; 1 ready", "2:4; 2:4; 1:4"},
		{"one that fails goes before one that reports drain", once, []uint32{4, 4, 4, 4}, true,
			"1 drain; 2 drain; 3 wrong; 4 drain; 1 ready; 3 ready",
			"1:0, 2:4, 3:4, 4:4; 1:0, 2:0, 3:4, 4:4; 1:0, 2:0, 3:4, 4:4; 1:0, 2:0, 3:4, 4:4; " +
				"1:4, 2:0, 4:4; 1:4, 2:0, 3:4, 4:0"},
		{"obey lifts it, until all are ready", once, []uint32{4, 4}, true,
			"1 drain; 2 drain; obey; 2 ready; 2 drain; 2 ready; 1 ready; 1 drain; 2 drain",
			"1:0, 2:4; 1:0, 2:4; 1:0, 2:0, 9:1; 1:0, 2:4; 1:0, 2:0, 9:1; 1:0, 2:4; 1:4, 2:4; 1:0, 2:4; 1:0, 2:4"},
		{"held, it fails too", once, []uint32{4, 4}, true, "1 drain; 2 drain; 2 fail; 2 up; 1 ready",
			"1:0, 2:4; 1:0, 2:4; 1:0, 2:4; 1:0, 2:4; 1:4, 2:0"},
		{"held because it failed, it comes back with drain: that counts at once", health.Rule{Fall: 2, Rise: 1}, []uint32{4, 4},
			true, "1 fail; 1 fail; 2 fail; 2 fail; 2 drain; 1 up", "1:4, 2:4; 2:4; 2:4; 2:4; 2:4; 1:4, 2:0"},
		{"orders are carried out, whatever is held", once, []uint32{4, 4}, true, "1 drain; 2 drain; 2 order maint; 2 order ready",
			"1:0, 2:4; 1:0, 2:4; 1:0, 9:1; 1:0, 9:1"},
		{"an order to drain keeps its connections, whatever it reports", once, []uint32{4, 4}, false,
			"1 order drain; 1 maint; 1 order ready; 1 ready", "1:0, 2:4; 1:0, 2:4; 2:4; 1:4, 2:4"},
		{"an order to drain and its own word", once, []uint32{4, 4}, false, "1 order drain; 1 drain; 1 order ready; 1 ready",
			"1:0, 2:4; 1:0, 2:4; 1:0, 2:4; 1:4, 2:4"},
		{"what was changed by hand stays over a percentage, not over drain", once, []uint32{4, 4}, false,
			"1 hand; 1 50%; 1 drain; 1 ready", "1:7, 2:4; 1:7, 2:4; 1:0, 2:4; 1:2, 2:4"},
		{"down stays until up", once, []uint32{4, 4}, false, "1 down; 1 100%; 1 ready; 1 up", "2:4; 2:4; 2:4; 1:4, 2:4"},
		{"silence: the percentage is forgotten, drain is not", once, []uint32{4, 4}, false,
			"1 25%; 2 drain; 1 silent; 2 silent; 1 silent; 2 silent; 1 silent; 2 silent; 2 ready",
			"1:1, 2:4; 1:1, 2:0; 1:1, 2:0; 1:1, 2:0; 1:1, 2:0; 1:1, 2:0; 1:4, 2:0; 1:4, 2:0; 1:4, 2:4"},
		{"words survive a restart", twice, []uint32{4, 4, 4}, false,
			"1 drain; 1 drain; 2 50%; 2 50%; 3 maint; 3 maint; restart; 1 100%; 2 up; 3 ready; 1 ready",
			"1:4, 2:4, 3:4; 1:0, 2:4, 3:4; 1:0, 2:4, 3:4; 1:0, 2:2, 3:4; 1:0, 2:2, 3:4; 1:0, 2:2; 1:0, 2:2; 1:0, 2:2; " +
				"1:0, 2:2; 1:0, 2:2, 3:4; 1:4, 2:2, 3:4"},
		{"so does down", once, []uint32{4, 4}, false, "1 down; restart; 1 100%; 1 up", "2:4; 2:4; 2:4; 1:4, 2:4"},
		{"who is held is held after a restart", once, []uint32{4, 4}, true, "1 drain; 2 drain; restart; 2 50%; 1 ready",
			"1:0, 2:4; 1:0, 2:4; 1:0, 2:4; 1:0, 2:2; 1:4, 2:0"},
		{"… also one that tells down", once, []uint32{4, 4}, true, "1 down; 2 down; restart; 2 up; 1 up; restart",
			"2:4; 2:4; 2:4; 2:4; 1:4, 2:4; 1:4, 2:4"},
		{"a check that weighs takes its part", once, []uint32{5, 4}, false, "1 deep down; 1 50%; 1 fail; 1 up; 1 deep up",
			"1:3, 2:4; 1:2, 2:4; 2:4; 1:2, 2:4; 1:3, 2:4"},
		{"… and so it does after a restart", once, []uint32{4, 4}, false, "1 deep down; restart; 1 up; 1 deep up",
			"1:2, 2:4; 1:2, 2:4; 1:2, 2:4; 1:4, 2:4"},
	} {
		t.Run(row.what, func(t *testing.T) {
			c := &talk{Case: inService(row.weights...), now: noon}
			c.Rule, c.Fallbacks = row.rule, fallbackAt(9)
			for i := range c.Servers {
				c.Servers[i].More = []Check{{Line: 1, Part: 50, Health: health.Assume(health.Up)}}
			}
			if row.guard {
				c.KeepServing = lvs.Share{N: 50, Percent: true}
			}
			var got []string
			for step := range strings.SplitSeq(row.steps, "; ") {
				got = append(got, c.step(t, step))
			}
			if got := strings.Join(got, "; "); got != row.want {
				t.Errorf("%s\n gives %s\n want  %s", row.steps, got, row.want)
			}
		})
	}
}

// Only a word that differs from the last one may change the table.
func TestWhichWordChangesSomething(t *testing.T) {
	c := inService(4)
	s := &c.Servers[0]
	for _, row := range []struct {
		says    string
		changes bool
	}{{"ready", false}, {"50%", true}, {"50%", false}, {"drain", true}, {"drain 50%", false}, {"ready", true}} {
		reported, _ := health.ReadAgent(row.says)
		if Report(&c, s, &s.First, reported) != row.changes {
			t.Errorf("%s: changes something: %v", row.says, !row.changes)
		}
	}
}

var once, twice = health.Rule{Fall: 1, Rise: 1}, health.Rule{Fall: 2, Rise: 2}
