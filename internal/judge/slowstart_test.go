package judge

import (
	"testing"
	"time"

	"ldirectord/internal/lvs"
	"ldirectord/internal/testkit"
)

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

// All servers of a section step in the same seconds, whenever they came in. A server keeps its ramp when the one that
// began earlier is out.
func TestServersClimbInStep(t *testing.T) {
	c := played{Case: sectionWith("servers=40/40/40/40, slowstart=40, 2 absent")}
	for _, row := range []struct {
		after       time.Duration
		given, want string
		again       time.Duration
	}{
		{0, "", "1:40, 2:1, 3:40, 4:40", 2 * time.Second},
		{2700 * time.Millisecond, "3 absent", "1:40, 2:2, 3:1, 4:40", 3 * time.Second},
		{4300 * time.Millisecond, "", "1:40, 2:4, 3:2, 4:40", 5 * time.Second},
		{4500 * time.Millisecond, "2 down", "1:40, 3:2, 4:40", 5 * time.Second},
	} {
		c.given(row.given)
		c.now = noon.Add(row.after)
		if d := c.decide(); placed(d.Places) != row.want || d.Again != noon.Add(row.again) {
			t.Errorf("after %v: %s, again at %v", row.after, placed(d.Places), d.Again)
		}
	}
	if since := c.Servers[2].Climbs; since != noon.Add(2*time.Second) {
		t.Errorf("server 3 climbs since %v", since)
	}
}

// A section that begins with an empty table is cold until every server had a result. Even the last one gets its full
// weight at once.
func TestTheFirstServersAreWhole(t *testing.T) {
	c := played{Case: sectionWith(ramps + ", empty, 1 2 3 unknown pending not entered"), now: noon}
	for _, row := range [][2]string{
		{"1 up not pending", "1:40"}, {"", "1:40"}, {"2 up not pending", "1:40, 2:40"}, {"", "1:40, 2:40"},
		{"3 up not pending", "1:40, 2:40, 3:40"}, {"", "1:40, 2:40, 3:40"}, {"3 absent", "1:40, 2:40, 3:1"},
	} {
		c.given(row[0])
		testkit.Equal(t, placed(c.decide().Places), row[1], row[0])
	}
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
