package judge

import (
	"strings"
	"testing"

	"ldirectord/internal/health"
	"ldirectord/internal/testkit"
)

// restart ends the daemon and starts the next one, which reads the record.
func (c *Case) restart() {
	for i := range c.Servers {
		s, weight := &c.Servers[i], c.Have.Weight(c.Servers[i].Dest.Addr)
		was := Record{Of: s.Weight(), Weight: weight, Reports: SpokenBy(s), Memory: s.Memory}
		*s = Server{Member: s.Member, More: make([]Check, len(s.More))}
		for k := range s.More {
			s.More[k].Line, s.More[k].Part = uint8(k+1), 50
		}
		if weight > 0 {
			s.Assume()
		}
		c.Resume(s, was, weight, noon)
	}
}

// What the table has after each step of servers that give words in their answers, and have a check that weighs.
func TestWhatAServerTells(t *testing.T) {
	for _, row := range testkit.Table(t, "../../testdata/judge/agent.txt", 5) {
		p := &played{Case: sectionWith("servers=" + row[1] + ", fallback=9"), now: noon}
		for i := range p.Servers {
			p.Servers[i].More = []Check{{Line: 1, Part: 50, Health: health.Assume(health.Up)}}
		}
		p.given(row[2])
		var got []string
		for step := range strings.SplitSeq(row[3], "; ") {
			p.do(step)
			got = append(got, serversIn(p.Have))
		}
		testkit.Equal(t, strings.Join(got, "; "), row[4], row[0])
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
		testkit.Equal(t, Report(&c, s, &s.First, reported), row.changes, row.says, "changes something")
	}
}
