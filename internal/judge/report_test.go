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

// talk is a section whose servers give words in their answers. It is decided and written after each step.
type talk struct{ played }

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
	return placed(c.decide().Places)
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
		was = append(was, Record{Of: s.Weight(), Weight: c.Have.Weight(s.Dest.Addr), Reports: SpokenBy(s),
			Memory: s.Memory})
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
	for _, row := range testkit.Table(t, "../../testdata/judge/agent.txt", 5) {
		t.Run(row[0], func(t *testing.T) {
			c := &talk{played{Case: sectionWith("servers=" + row[1] + ", fallback=9"), now: noon}}
			c.given(row[2])
			for i := range c.Servers {
				c.Servers[i].More = []Check{{Line: 1, Part: 50, Health: health.Assume(health.Up)}}
			}
			var got []string
			for step := range strings.SplitSeq(row[3], "; ") {
				got = append(got, c.step(t, step))
			}
			testkit.Equal(t, strings.Join(got, "; "), row[4], row[3])
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
