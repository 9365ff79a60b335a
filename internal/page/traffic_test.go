package page

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	"ldirectord/internal/lvs"
	"ldirectord/internal/testkit"
	seen "ldirectord/internal/view"
)

func counted(connections ...uint64) *seen.Snapshot {
	v := seen.Virtual{ID: "tcp:192.0.2.1:80"}
	for i, n := range connections {
		v.Servers = append(v.Servers, seen.Server{Real: fmt.Sprint("10.0.0.", i, ":80"),
			Connections: &lvs.Counters{Traffic: lvs.Traffic{Connections: n}}})
	}
	return &seen.Snapshot{Virtuals: []seen.Virtual{v}}
}

// Only what was counted between two looks is traffic: not what a server had before, and nothing is negative where one
// leaves or is added again.
func TestTraffic(t *testing.T) {
	var now Traffic
	at := start
	look := func(all *seen.Snapshot) { at = at.Add(Interval); now.Look(at, all) }
	for _, all := range [][]uint64{{1000}, {1010, 500}, {1010, 520}, {1015}, {5}, {6, 500}} {
		look(counted(all...))
	}
	testkit.Same(t, now.of("tcp:192.0.2.1:80"), []uint32{0, 10, 20, 5, 0, 1})
	for n := range uint64(looks) {
		look(counted(6 + n))
	}
	line := now.of("tcp:192.0.2.1:80")
	if len(line) != looks || line[0] != 0 || line[looks-1] != 1 {
		t.Errorf("after ten minutes: %v", line)
	}
	at = at.Add(2 * Interval) // two looks failed
	look(counted(65 + 10))
	testkit.Same(t, now.of("tcp:192.0.2.1:80")[looks-4:], []uint32{1, 3, 3, 4}, "after looks that failed")
	at = at.Add(time.Hour) // without the page
	look(counted(1000))
	testkit.Same(t, now.of("tcp:192.0.2.1:80"), []uint32{0}, "an hour later")
	if look(counted()); now.of("tcp:192.0.2.1:80") != nil {
		t.Error("a virtual service that left is still there")
	}
}

func TestDrawn(t *testing.T) {
	for want, line := range map[string][]uint32{
		"-": nil,
		`1.5/s <svg viewBox="-1 -1 61 18" preserveAspectRatio="none" role="img" aria-label="45 new ` +
			`connections in 30s"><polyline points="57,16 58,0 59,8"/></svg>`: {0, 30, 15},
		`0.0/s <svg viewBox="-1 -1 61 18" preserveAspectRatio="none" role="img" aria-label="0 new ` +
			`connections in 10s"><polyline points="59,16"/></svg>`: {0},
	} {
		testkit.Equal(t, string(drawn(line)), want, line)
	}
}

// Ten minutes of 10,000 servers take at most 5 MB, even with a virtual service each.
func TestTrafficIsSmall(t *testing.T) {
	all := &seen.Snapshot{}
	for i := range uint64(10000) {
		one := counted(i).Virtuals[0]
		one.ID = fmt.Sprint("tcp:192.0.2.1:", i)
		all.Virtuals = append(all.Virtuals, one)
	}
	before := testkit.InUse()
	var now Traffic
	for i := range looks + 1 {
		now.Look(start.Add(Interval*time.Duration(i)), all)
	}
	if took := testkit.InUse() - before; took > 5<<20 {
		t.Errorf("%d bytes", took)
	} else {
		t.Logf("%d bytes", took)
	}
	runtime.KeepAlive(&now)
	runtime.KeepAlive(all)
}
