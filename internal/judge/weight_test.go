package judge

import (
	"strings"
	"testing"
	"time"

	"ldirectord/internal/lvs"
	"ldirectord/internal/testkit"
)

func TestPartsOfAWeight(t *testing.T) {
	for _, row := range testkit.Table(t, "../../testdata/judge/parts.txt", 3) {
		all := Part{1, 1}
		for part := range strings.FieldsSeq(row[1]) {
			of, whole, _ := strings.Cut(part, "/")
			all = all.times(Part{uint64(number(of)), uint64(number(whole))})
		}
		testkit.Equal(t, int(all.roundedUp(uint32(number(row[0])))), number(row[2]), row[0], "times", row[1])
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
