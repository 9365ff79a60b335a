package judge

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"ldirectord/internal/health"
	"ldirectord/internal/lvs"
	"ldirectord/internal/testkit"
)

// climbing is a section of three servers of weight 40 that pass and serve, with slowstart = 60.
func climbing() Case {
	c := inService(40, 40, 40)
	c.given("slowstart=60")
	return c
}

// since makes server i climb for a time. Weight is what the table has of it.
func (c *Case) since(i int, age time.Duration, weight uint32) {
	c.Servers[i].Climbs = noon.Add(-age)
	c.has(byte(i+1), weight)
}

// decideOnce decides a case at noon. It returns the table, the rule of server 2, how long that climbs, and when the
// next decision is due.
func decideOnce(c Case) string {
	d := Decide(c, noon)
	said := fmt.Sprintf("%s by %v", placed(&proposal{Decision: Decision{Places: d.Places}}), d.State.Servers[1].Why)
	if since := d.State.Servers[1].Climbs; !since.IsZero() {
		said += fmt.Sprint(", for ", noon.Sub(since))
	}
	if !d.Again.IsZero() {
		said += fmt.Sprint(", again in ", d.Again.Sub(noon))
	}
	return said
}

func TestRuleSlowStart(t *testing.T) {
	for _, row := range testkit.Table(t, "../../testdata/judge/slowstart.txt", 3) {
		c := climbing()
		c.given(row[1])
		testkit.Equal(t, decideOnce(c), row[2], row[0])
	}
}

// A weight rises with time from 1 to the full one. The decision names every second in which it changes, and no other.
func TestARampStepsAtWholeSeconds(t *testing.T) {
	for _, row := range []struct {
		weight uint32
		over   time.Duration
		steps  int
	}{{40, time.Minute, 39}, {7, time.Minute, 6}, {2, time.Minute, 1}, {65535, 10 * time.Second, 10},
		{100, 2500 * time.Millisecond, 3}, {5, 300 * time.Millisecond, 1}, {1<<31 - 1, 24 * time.Hour, 86400}} {
		c := inService(40, 40, 40)
		for _, m := range c.Members {
			m.Dest.Weight = row.weight
		}
		c.given("2 absent")
		c.SlowStart = row.over
		now, last, steps := noon, uint32(0), -1
		for {
			d := Decide(c, now)
			weight := d.Places[at(2)].Weight
			age := max(now.Sub(noon), 1)
			if least := float64(row.weight) * min(1,
				float64(age)/float64(row.over)); float64(weight) < least || float64(weight) >= least+1 {
				t.Fatalf("weight %d in %v: %d after %v", row.weight, row.over, weight, age)
			}
			if weight <= last || now.Sub(noon)%time.Second != 0 {
				t.Fatalf("weight %d in %v: from %d to %d after %v", row.weight, row.over, last, weight,
					age)
			}
			c.Adopt(d.State)
			c.Wrote(lvs.DestsOf(d.Places))
			last = weight
			if steps++; d.Again.IsZero() {
				break
			}
			if before := Decide(c, d.Again.Add(-1)); before.Places[at(2)].Weight != weight ||
				before.Again != d.Again {
				t.Fatalf("weight %d in %v: %d before %v", row.weight, row.over, weight,
					d.Again.Sub(noon))
			}
			now = d.Again
		}
		if last != row.weight || steps != row.steps {
			t.Errorf("weight %d in %v: %d steps to %d, want %d", row.weight, row.over, steps, last,
				row.steps)
		}
	}
}

// All servers of a section step in the same seconds, whenever they came in.
func TestServersClimbInStep(t *testing.T) {
	c := inService(40, 40, 40, 40)
	c.given("slowstart=40, 2 absent")
	come := func(at time.Duration) Decision {
		d := Decide(c, noon.Add(at))
		c.Adopt(d.State)
		c.Wrote(lvs.DestsOf(d.Places))
		return d
	}
	come(0)
	c.given("3 absent")
	if d := come(2700 * time.Millisecond); d.State.Servers[2].Climbs != noon.Add(2*time.Second) ||
		d.Again != noon.Add(3*time.Second) || weights(d.Places)[2] != 2 {
		t.Errorf("server 3 climbs since %v: %v, again at %v", d.State.Servers[2].Climbs, d.Places,
			d.Again)
	}
	d := come(4300 * time.Millisecond)
	testkit.Equal(t, fmt.Sprint(weights(d.Places)), "map[1:40 2:4 3:2 4:40]", "after 4.3s the weights")
	// a server keeps its ramp when the one that began earlier is out
	c.given("2 down")
	d = come(4500 * time.Millisecond)
	if got := fmt.Sprint(weights(d.Places)); got != "map[1:40 3:2 4:40]" || d.Again != noon.Add(5*time.Second) {
		t.Errorf("with server 2 down the weights are %s, the next decision is due at %v", got, d.Again)
	}
}

// A section that begins with an empty table is cold until every server had a result. Even the last one gets its full
// weight at once.
func TestTheFirstServersAreWhole(t *testing.T) {
	c := inService(40, 40, 40)
	c.given("slowstart=60, empty")
	for i := range c.Servers {
		c.says(i, health.Unknown)
		c.Servers[i].First.Pending, c.Servers[i].Entered = true, false
	}
	decide := func() string {
		d := Decide(c, noon)
		c.Adopt(d.State)
		c.Wrote(lvs.DestsOf(d.Places))
		return fmt.Sprint(weights(d.Places))
	}
	for i, want := range []string{"map[1:40]", "map[1:40 2:40]", "map[1:40 2:40 3:40]"} {
		c.says(i, health.Up)
		c.Servers[i].First.Pending = false
		testkit.Equal(t, decide(), want)
		testkit.Equal(t, decide(), want, "again")
	}
	c.given("3 absent")
	testkit.Equal(t, decide(), "map[1:40 2:40 3:1]", "a server that comes in later does not climb")
}

// A ramp continues over a reload with another weight or time, and ends with a demotion.
func TestARampOverAReload(t *testing.T) {
	for _, row := range []struct {
		what  string
		given func(*Section)
		want  string
	}{
		{"the same", func(*Section) {}, "1:40, 2:12, 3:40 by slowstart, for 18s, again in 1s"},
		{"another weight", func(s *Section) { s.Members[1].Dest.Weight = 80 },
			"1:40, 2:24, 3:40 by slowstart, for 18s, again in 1s"},
		{"twice the time", func(s *Section) { s.SlowStart *= 2 },
			"1:40, 2:6, 3:40 by slowstart, for 18s, again in 1s"},
		{"less time", func(s *Section) { s.SlowStart = 18 * time.Second }, "1:40, 2:40, 3:40 by up"},
		{"none", func(s *Section) { s.SlowStart = 0 }, "1:40, 2:40, 3:40 by up"},
		{"another address", func(s *Section) {
			s.Members[1].Dest.Addr = netip.MustParseAddrPort("10.2.0.22:80")
			s.Index()
		}, "1:40, 3:40, 22:1 by slowstart, for 0s, again in 2s"},
	} {
		was, now := climbing(), climbing()
		was.since(1, 18*time.Second, 12)
		row.given(now.Section)
		now.Carry(&was, true, func(i int) int { return i },
			func(i, k int) *Check { return was.Servers[i].Check(k) })
		now.Have = was.Have
		testkit.Equal(t, decideOnce(now), row.want, row.what)
	}
	c := climbing()
	c.given("2 climbs=-18s table=12")
	have := c.Have
	c.Left()
	c.Read(have)
	testkit.Equal(t, decideOnce(c), "1:40, 2:40, 3:40 by up", "after a demotion")
}

// The longest time that a file may have doesn't make the computation overflow.
func TestARampOfYears(t *testing.T) {
	day := 24 * time.Hour
	section := &Section{Policy: lvs.Policy{SlowStart: 3650 * day}}
	for days, want := range map[time.Duration]uint32{0: 1, 100: 3, 365: 10, 1825: 50, 3650: 100} {
		s := &Server{Memory: Memory{Climbs: time.Unix(0, 0)}}
		p := section.Ramp(s, time.Unix(0, 0).Add(days*day)).times(Part{whole, whole})
		testkit.Equal(t, p.roundedUp(100), want, "after", days, "days")
	}
}
