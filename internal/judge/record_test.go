package judge

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"ldirectord/internal/health"
	"ldirectord/internal/testkit"
)

// At a start a weight in the table fits the record if it is between the recorded weight and the one due now.
func TestWhatMovedAtTheEndOfTheLastDaemon(t *testing.T) {
	for _, row := range testkit.Table(t, "../../testdata/judge/resumed.txt", 4) {
		c := inService(40)
		m := Record{Addr: at(1), Weight: 1, Of: 40, Memory: Memory{Climbs: noon.Add(-time.Hour)}}
		fill(&m, row[1])
		s := &c.Servers[0]
		fits := c.Resume(s, m, uint32(number(row[2])), noon)
		got := word(fits, ", fits") + word(!s.Climbs.IsZero(), ", climbs") + word(s.Held, ", held")
		testkit.Equal(t, strings.TrimPrefix(got, ", "), row[3], row[0])
	}
}

// The next daemon may have another file. The words of an agent belong to the agent, whatever line it now has, and to
// no other check.
func TestWhatWasToldBelongsToItsCheck(t *testing.T) {
	was := sectionWith("servers=4, 1 also=down more.line=1 more.agent")
	was.Servers[0].More[0].Telling = health.Tells(health.Words{Admin: health.Drain, Down: true})
	for now, want := range map[string]string{
		"1 also=up more.line=1 more.agent":                    "down, asks drain",
		"1 also=up/up more.line=1 more.1.line=2 more.1.agent": "down, asks drain",
		"1 also=up more.line=1":                               "up, asks ",
	} {
		c := sectionWith("servers=4, " + now)
		s := &c.Servers[0]
		c.Resume(s, Record{Weight: 4, Of: 4, Reports: was.Servers[0].Spoken()}, 4, noon)
		testkit.Equal(t, fmt.Sprint(s.Health(), ", asks ", s.Asks()), want, now)
	}
}

// The record has room for four checks. A check that decides and is down is not recorded: the next daemon makes it
// anyway.
func TestWhatIsRecordedOfChecks(t *testing.T) {
	s := inService(4).Servers[0]
	s.First.Health = health.Assume(health.Down)
	for line := range uint8(5) {
		s.More = append(s.More, Check{Line: 1 + line, Telling: health.Tells(health.Words{Less: 10 + line})})
	}
	for i, one := range s.Spoken() {
		if one.Line != uint8(1+i) || one.Less != uint8(10+i) {
			t.Errorf("check %d of the record is %+v", i, one)
		}
	}
}

// restart ends the daemon and starts the next one, which reads the record.
func (c *Case) restart() {
	for i := range c.Servers {
		s, weight := &c.Servers[i], c.Have.Weight(c.Servers[i].Dest.Addr)
		was := Record{Of: s.Weight(), Weight: weight, Reports: s.Spoken(), Memory: s.Memory}
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
		testkit.Equal(t, c.Report(s, &s.First, reported), row.changes, row.says, "changes something")
	}
}
