package view

import (
	"testing"
	"time"

	"ldirectord/checker/wire"
	"ldirectord/internal/lvs"
	"ldirectord/internal/testkit"
)

func TestDurationsAreCountedInTheirClasses(t *testing.T) {
	var d Durations
	for _, took := range []time.Duration{0, time.Millisecond, time.Millisecond + 1, time.Second, time.Minute} {
		d.Add(took)
	}
	want := [len(Bounds)]uint64{2, 3, 3, 3, 3, 3, 4, 4, 4, 4}
	if d.Classes != want || d.Count != 5 || d.Sum != time.Minute+time.Second+2*time.Millisecond+1 {
		t.Errorf("%+v, want the classes %v", d, want)
	}
}

// A stage begins when the one before it ends, even where a server greets before the check sends anything.
func TestStageTimes(t *testing.T) {
	var all StageTimes
	for range 2 {
		all.Add(&wire.Stages{wire.MarkConnect: 1000, wire.MarkFirstByte: 3000, wire.MarkSent: 3500,
			wire.MarkAnswer: 4200, wire.MarkMatch: 4200})
	}
	all.Add(&wire.Stages{wire.MarkConnect: 500}) // a check that got no further
	const µs = time.Microsecond
	want := StageTimes{wire.MarkConnect: {3, 2500 * µs}, wire.MarkFirstByte: {2, 4000 * µs},
		wire.MarkSent:   {2, 1000 * µs},
		wire.MarkAnswer: {2, 1400 * µs}, wire.MarkMatch: {2, 0}}
	testkit.Equal(t, all, want)
}

func BenchmarkStageTimes(b *testing.B) {
	var all StageTimes
	for b.Loop() {
		all.Add(&wire.Stages{wire.MarkConnect: 1000, wire.MarkSent: 3000, wire.MarkFirstByte: 3500,
			wire.MarkAnswer: 4200, wire.MarkMatch: 4200})
	}
}

func TestConnectionsInWords(t *testing.T) {
	for want, c := range map[string]lvs.Counters{
		"0 connections": {}, "1 connection": {Inactive: 1},
		"12 connections, 1 persistent client": {Active: 9, Inactive: 3, Persistent: 1},
	} {
		testkit.Equal(t, Carried(c), want, c)
	}
}
