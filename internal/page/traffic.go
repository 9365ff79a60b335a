package page

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"sync"
	"time"

	"ldirectord/internal/lvs"
	seen "ldirectord/internal/view"
)

// The page shows ten minutes of traffic.
const (
	Interval = 10 * time.Second // between two looks at the counters
	looks    = 60
)

// Traffic records how many connections each virtual service got in each of the latest intervals. It is safe for
// concurrent use. For 10,000 servers it needs less than 5 MB.
type Traffic struct {
	mu    sync.Mutex // guards the fields below
	at    time.Time  // of the last look
	last  map[lvs.Backend]uint64
	lines map[string][]uint32 // by the virtual service's id, the latest last
}

// Look records the counters of all servers. It forgets virtual services that have no counters. If looks were missed, it
// divides the connections among them. After a gap of more than ten minutes, it starts all lines anew.
func (t *Traffic) Look(now time.Time, all *seen.Snapshot) {
	t.mu.Lock()
	defer t.mu.Unlock()
	turns := max(1, uint64(now.Sub(t.at).Round(Interval)/Interval))
	if turns > looks {
		turns, t.last, t.lines = 1, nil, map[string][]uint32{}
	}
	begun, counts := map[string]uint64{}, make(map[lvs.Backend]uint64, len(t.last))
	for v, s := range all.Each() {
		if s.Connections == nil {
			continue
		}
		at, n := lvs.At(v.ID, s.Real), s.Connections.Traffic.Connections
		was, known := t.last[at]
		if !known || was > n { // it was added meanwhile
			was = n
		}
		begun[v.ID] += n - was
		counts[at] = n
	}
	t.last, t.at = counts, now
	maps.DeleteFunc(t.lines, func(id string, _ []uint32) bool { _, in := begun[id]; return !in })
	for id, n := range begun {
		line := t.lines[id]
		if line == nil {
			line = make([]uint32, 0, looks)
		}
		for i := range turns {
			if len(line) == looks {
				line = line[:copy(line, line[1:])]
			}
			line = append(line, uint32(min(n*(i+1)/turns-n*i/turns, math.MaxUint32)))
		}
		t.lines[id] = line
	}
}

// of returns the recorded numbers of a virtual service.
func (t *Traffic) of(id string) []uint32 {
	if t == nil {
		return nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Clone(t.lines[id])
}

// drawn returns the latest number of connections per second, and a picture of all numbers.
func drawn(line []uint32) markup {
	if len(line) == 0 {
		return "-"
	}
	const height = 16
	var points strings.Builder
	total, most := uint64(0), uint64(max(slices.Max(line), 1))
	for i, n := range line {
		fmt.Fprintf(&points, "%d,%d ", looks-len(line)+i, height-height*uint64(n)/most)
		total += uint64(n)
	}
	second := fmt.Sprintf("%.1f", float64(line[len(line)-1])/Interval.Seconds())
	return fill(`%s/s <svg viewBox="-1 -1 61 18" preserveAspectRatio="none" role="img" `+
		`aria-label="%v new connections in %v"><polyline points="%s"/></svg>`,
		second, total, time.Duration(len(line))*Interval, strings.TrimSpace(points.String()))
}
