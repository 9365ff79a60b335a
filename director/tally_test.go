package director

import (
	"testing"
	"time"

	"ldirectord/checker"
)

// A stage begins when the last one before it is done, also where a server greets before anything is sent to it.
func TestStageTimes(t *testing.T) {
	var all StageTimes
	for range 2 {
		all.count(&checker.Stages{checker.MarkConnect: 1000, checker.MarkFirstByte: 3000, checker.MarkSent: 3500, checker.MarkAnswer: 4200, checker.MarkMatch: 4200})
	}
	all.count(&checker.Stages{checker.MarkConnect: 500}) // a check that went no further
	for mark, want := range map[checker.Mark]struct {
		count uint64
		µs    time.Duration
	}{
		checker.MarkLookup: {0, 0}, checker.MarkConnect: {3, 2500}, checker.MarkFirstByte: {2, 4000}, checker.MarkSent: {2, 1000},
		checker.MarkAnswer: {2, 1400}, checker.MarkMatch: {2, 0},
	} {
		if got := all[mark]; got.Count != want.count || got.Sum != want.µs*time.Microsecond {
			t.Errorf("%s: %d, %v; want %d, %v", mark, got.Count, got.Sum, want.count, want.µs*time.Microsecond)
		}
	}
}

func BenchmarkStageTimes(b *testing.B) {
	var all StageTimes
	for b.Loop() {
		all.count(&checker.Stages{checker.MarkConnect: 1000, checker.MarkSent: 3000, checker.MarkFirstByte: 3500, checker.MarkAnswer: 4200, checker.MarkMatch: 4200})
	}
}
