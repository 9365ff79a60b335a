package managers

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

const (
	hot        = "hot"       // the table is in place on both machines all the time
	maxExposed = time.Second // for a director that has the address and not the table
	attempts   = 3           // of an event that took too long: the lab stutters
)

// gaps has the longest time that clients had no answer, for each way of running the director and each event. Of several
// attempts the shortest such time counts.
type gaps struct {
	ways, events []string
	shortest     map[[2]string]time.Duration
	late         []string // the events of the last attempt that took too long
}

func newGaps(events ...string) *gaps {
	return &gaps{events: events, shortest: map[[2]string]time.Duration{}}
}

// add records an event: how long clients had no answer, how long a director was exposed, and how long the gap may be
// at most; 0 is no limit. The limits are those of a machine where programs start as fast as elsewhere: make long-gaps.
func (g *gaps) add(way, event string, gap, exposed, limit time.Duration) {
	at := [2]string{way, event}
	if !slices.Contains(g.ways, way) {
		g.ways = append(g.ways, way)
	}
	if was, known := g.shortest[at]; !known || gap < was {
		g.shortest[at] = gap
	}
	if os.Getenv("LONG_TESTS") != "" && (exposed > maxExposed || limit > 0 && gap > limit) {
		g.late = append(g.late, fmt.Sprintf(
			"%s: a gap of %.1f s, %.1f s of it with the address and without the table", event,
			gap.Seconds(), exposed.Seconds()))
	}
}

// measure runs a way until no event took too long.
func (g *gaps) measure(t *testing.T, way string, run func(way string)) {
	t.Helper()
	for range attempts {
		g.late = nil
		run(way)
		if len(g.late) == 0 {
			return
		}
	}
	t.Errorf("%s: %s", way, strings.Join(g.late, "; "))
}

// compare runs the hot way and the Perl program, for the table of docs/managers.md.
func (g *gaps) compare(c *cluster, run func(way string)) {
	if os.Getenv("LONG_TESTS") == "" {
		return
	}
	run(hot)
	if perl := os.Getenv("REFERENCE"); perl != "" {
		c.both(func(m *machine) { m.install(perl) })
		run("reference")
	}
}

// String is a table in seconds.
func (g *gaps) String() string {
	var out strings.Builder
	fmt.Fprintf(&out, "gap in seconds     %s\n", strings.Join(g.events, "  "))
	for _, way := range g.ways {
		fmt.Fprintf(&out, "%-18s", way)
		for _, event := range g.events {
			gap := "-"
			if shortest, known := g.shortest[[2]string{way, event}]; known {
				gap = fmt.Sprintf("%.1f", shortest.Seconds())
			}
			fmt.Fprintf(&out, " %*s ", len(event), gap)
		}
		out.WriteByte('\n')
	}
	return out.String()
}
