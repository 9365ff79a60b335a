package managers

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

const (
	hot       = "hot"       // the way that others are measured by: directors serve on both machines, only the address moves
	hotExcess = time.Second // of a gap over that
	attempts  = 3           // the lab stutters, which only lengthens gaps: the shortest of some counts
)

// gaps are the longest times without an answer that clients saw: by way of running the director, and by
// event.
type gaps struct {
	ways, events []string
	took         map[[2]string]time.Duration
}

func newGaps(events ...string) *gaps {
	return &gaps{events: events, took: map[[2]string]time.Duration{}}
}

func (g *gaps) add(way, event string, took time.Duration) {
	was, known := g.of(way, event)
	if !known && (len(g.ways) == 0 || g.ways[len(g.ways)-1] != way) {
		g.ways = append(g.ways, way)
	}
	if !known || took < was {
		g.took[[2]string{way, event}] = took
	}
}

func (g *gaps) of(way, event string) (took time.Duration, known bool) {
	took, known = g.took[[2]string{way, event}]
	return took, known
}

// excess tells what is wrong with the gaps of a way: too long over those of the hot way, or over a limit of
// its own; 0 is none.
func (g *gaps) excess(way string, limit time.Duration) string {
	for _, event := range g.events {
		took, known := g.of(way, event)
		least, _ := g.of(hot, event)
		if !known || took > least+hotExcess || limit > 0 && took > limit {
			return fmt.Sprintf("%s, %s: a gap of %.1f s", way, event, took.Seconds())
		}
	}
	return ""
}

// measure runs the hot way and another one until that one's gaps are short enough.
func (g *gaps) measure(t *testing.T, way string, limit time.Duration, run func(way string)) {
	t.Helper()
	if len(g.ways) == 0 {
		run(hot)
	}
	run(way)
	for range attempts - 1 {
		if g.excess(way, limit) == "" {
			return
		}
		run(hot)
		run(way)
	}
	if wrong := g.excess(way, limit); wrong != "" {
		t.Error(wrong)
	}
}

// String is a table in seconds.
func (g *gaps) String() string {
	var out strings.Builder
	fmt.Fprintf(&out, "gap in seconds     %s\n", strings.Join(g.events, "  "))
	for _, way := range g.ways {
		fmt.Fprintf(&out, "%-18s", way)
		for _, event := range g.events {
			took, _ := g.of(way, event)
			fmt.Fprintf(&out, " %*.1f ", len(event), took.Seconds())
		}
		out.WriteByte('\n')
	}
	return out.String()
}
