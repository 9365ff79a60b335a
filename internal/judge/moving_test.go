package judge

import (
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
	down := health.Tells(health.Words{Admin: health.Drain, Down: true})
	agent := Check{Line: 1, Agent: true, Health: health.Assume(health.Down), Telling: down}
	for _, row := range []struct {
		what string
		was  []Check
		now  []Check
		want health.State
		asks health.Admin
	}{
		{"as it was", []Check{agent}, []Check{{Line: 1, Agent: true}}, health.Down, health.Drain},
		{"a check before the agent", []Check{agent}, []Check{{Line: 1}, {Line: 2, Agent: true}}, health.Down,
			health.Drain},
		{"a check in place of the agent", []Check{agent}, []Check{{Line: 1}}, health.Up, health.NoAdmin},
	} {
		was, c := inService(4), inService(4)
		was.Servers[0].More = row.was
		s := &c.Servers[0]
		s.More = row.now
		s.Assume()
		c.Resume(s, Record{Weight: 4, Of: 4, Reports: SpokenBy(&was.Servers[0])}, 4, noon)
		if s.Health() != row.want || s.Asks() != row.asks {
			t.Errorf("%s: %v, asks %v", row.what, s.Health(), s.Asks())
		}
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
	for i, one := range SpokenBy(&s) {
		if one.Line != uint8(1+i) || one.Less != uint8(10+i) {
			t.Errorf("check %d of the record is %+v", i, one)
		}
	}
}
