package view

import (
	"iter"
	"time"

	"ldirectord/checker"
	"ldirectord/checker/wire"
)

// Tally counts events of a real server since it was configured. It survives a reload.
type Tally struct {
	Checks      uint64                  `json:"checks"`      // all checks, including inconclusive ones
	Transitions uint64                  `json:"transitions"` // from up to down and back
	failures    *[checker.Causes]uint32 // replaced, never changed; nil: none, as for most servers
}

// Fails counts a failed check.
func (t *Tally) Fails(cause checker.Cause) {
	var failures [checker.Causes]uint32
	if t.failures != nil {
		failures = *t.failures
	}
	failures[cause]++
	t.failures = &failures
}

// Failures returns the causes of failed checks with their counts.
func (t *Tally) Failures() iter.Seq2[string, uint32] {
	return func(yield func(string, uint32) bool) {
		if t.failures == nil {
			return
		}
		for cause, n := range t.failures {
			if n > 0 && !yield(checker.Cause(cause).String(), n) {
				return
			}
		}
	}
}

// Bounds are the upper bounds of the histogram's buckets. A check that took longer than all of them is in no bucket.
var Bounds = [...]time.Duration{
	time.Millisecond, 5 * time.Millisecond, 10 * time.Millisecond, 50 * time.Millisecond, 100 * time.Millisecond,
	500 * time.Millisecond, time.Second, 5 * time.Second, 10 * time.Second, 30 * time.Second,
}

// Durations is a histogram of the durations of checks.
type Durations struct {
	Count   uint64
	Sum     time.Duration
	Classes [len(Bounds)]uint64 // for each of Bounds, the checks that took no longer
}

func (d *Durations) Add(took time.Duration) {
	d.Count++
	d.Sum += took
	for i, bound := range Bounds {
		if took <= bound {
			d.Classes[i]++
		}
	}
}

// StageTimes contains the StageTime of each stage.
type StageTimes [wire.Marks]StageTime

// StageTime is the number of checks that completed a stage, and the total time that they spent in it.
type StageTime struct {
	Count uint64
	Sum   time.Duration
}

// Add adds the stages of one check. A stage begins when the previous one is done. The order of stages depends on the
// protocol.
func (all *StageTimes) Add(s *wire.Stages) {
	for m, done := range s {
		if done == 0 {
			continue
		}
		began := uint32(0)
		for other, at := range s {
			if at < done || at == done && other < m {
				began = max(began, at)
			}
		}
		all[m].Count++
		all[m].Sum += time.Duration(done-began) * time.Microsecond
	}
}

// Operations counts requests to the table, in the order of OperationNames.
type Operations [len(OperationNames)]Counts

// OperationNames are the kinds of requests to the table. The kinds of lvs.OpKind come first, then a read.
var OperationNames = [...]string{"add-service", "edit-service", "delete-service", "add-destination", "edit-destination",
	"delete-destination", "read"}

// ReadTable is the index of a read in OperationNames.
const ReadTable = len(OperationNames) - 1

// Counts are the numbers of successful and failed operations of one kind.
type Counts struct {
	Done   uint64 `json:"done"`
	Failed uint64 `json:"failed"`
}

func (o *Operations) Add(kind int, err error) {
	if err != nil {
		o[kind].Failed++
		return
	}
	o[kind].Done++
}
