package managers

import (
	"fmt"
	"strings"
	"time"
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
	if len(g.ways) == 0 || g.ways[len(g.ways)-1] != way {
		g.ways = append(g.ways, way)
	}
	g.took[[2]string{way, event}] = took
}

func (g *gaps) of(way, event string) time.Duration { return g.took[[2]string{way, event}] }

// String is a table in seconds.
func (g *gaps) String() string {
	var out strings.Builder
	fmt.Fprintf(&out, "gap in seconds     %s\n", strings.Join(g.events, "  "))
	for _, way := range g.ways {
		fmt.Fprintf(&out, "%-18s", way)
		for _, event := range g.events {
			fmt.Fprintf(&out, " %*.1f ", len(event), g.of(way, event).Seconds())
		}
		out.WriteByte('\n')
	}
	return out.String()
}
