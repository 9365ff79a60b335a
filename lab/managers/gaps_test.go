package managers

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

const (
	hot       = "hot"       // the way that others are measured by: the table is in place on both machines
	hotExcess = time.Second // of a gap over that
	attempts  = 3           // the lab stutters: each event has that many, with a hot one beside it
)

// gaps are the longest times without an answer that clients saw, by way of running the director and event:
// the shortest of all attempts, and the last one.
type gaps struct {
	ways, events   []string
	shortest, last map[[2]string]time.Duration
}

func newGaps(events ...string) *gaps {
	return &gaps{events: events, shortest: map[[2]string]time.Duration{}, last: map[[2]string]time.Duration{}}
}

func (g *gaps) add(way, event string, took time.Duration) {
	at := [2]string{way, event}
	if !slices.Contains(g.ways, way) {
		g.ways = append(g.ways, way)
	}
	if was, known := g.shortest[at]; !known || took < was {
		g.shortest[at] = took
	}
	g.last[at] = took
}

// measure runs the hot way and another one until for each event a gap was no longer than that of the hot
// way beside it allows, nor than a limit of its own; 0 is none.
func (g *gaps) measure(t *testing.T, way string, limit time.Duration, run func(way string)) {
	t.Helper()
	pending := slices.Clone(g.events)
	for attempt := range attempts {
		if attempt > 0 || len(g.ways) == 0 {
			run(hot)
		}
		run(way)
		pending = slices.DeleteFunc(pending, func(event string) bool {
			took, known := g.last[[2]string{way, event}]
			return known && took <= g.last[[2]string{hot, event}]+hotExcess && (limit == 0 || took <= limit)
		})
		if len(pending) == 0 {
			return
		}
	}
	for _, event := range pending {
		t.Errorf("%s, %s: a gap of %.1f s at least", way, event, g.shortest[[2]string{way, event}].Seconds())
	}
}

// String is a table in seconds.
func (g *gaps) String() string {
	var out strings.Builder
	fmt.Fprintf(&out, "gap in seconds     %s\n", strings.Join(g.events, "  "))
	for _, way := range g.ways {
		fmt.Fprintf(&out, "%-18s", way)
		for _, event := range g.events {
			fmt.Fprintf(&out, " %*.1f ", len(event), g.shortest[[2]string{way, event}].Seconds())
		}
		out.WriteByte('\n')
	}
	return out.String()
}
