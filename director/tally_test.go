package director

import (
	"testing"
	"time"

	"ldirectord/checker/wire"
	"ldirectord/view"
)

// A stage begins when the one before it ends, even where a server greets before the check sends anything.
func TestStageTimes(t *testing.T) {
	var all view.StageTimes
	for range 2 {
		all.Add(&wire.Stages{wire.MarkConnect: 1000, wire.MarkFirstByte: 3000, wire.MarkSent: 3500, wire.MarkAnswer: 4200, wire.MarkMatch: 4200})
	}
	all.Add(&wire.Stages{wire.MarkConnect: 500}) // a check that got no further
	for mark, want := range map[wire.Mark]struct {
		count uint64
		µs    time.Duration
	}{
		wire.MarkLookup: {0, 0}, wire.MarkConnect: {3, 2500}, wire.MarkFirstByte: {2, 4000}, wire.MarkSent: {2, 1000},
		wire.MarkAnswer: {2, 1400}, wire.MarkMatch: {2, 0},
	} {
		if got := all[mark]; got.Count != want.count || got.Sum != want.µs*time.Microsecond {
			t.Errorf("%s: %d, %v; want %d, %v", mark, got.Count, got.Sum, want.count, want.µs*time.Microsecond)
		}
	}
}

func BenchmarkStageTimes(b *testing.B) {
	var all view.StageTimes
	for b.Loop() {
		all.Add(&wire.Stages{wire.MarkConnect: 1000, wire.MarkSent: 3000, wire.MarkFirstByte: 3500, wire.MarkAnswer: 4200, wire.MarkMatch: 4200})
	}
}
