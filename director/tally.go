package director

import (
	"iter"
	"time"

	"ldirectord/checker"
	"ldirectord/checker/health"
	"ldirectord/checker/wire"
)

// Tally counts events of a real server since it was configured. It survives a reload.
type Tally struct {
	Checks      uint64                  `json:"checks"`      // all checks, including inconclusive ones
	Transitions uint64                  `json:"transitions"` // from up to down and back
	failures    *[checker.Causes]uint32 // never changed; nil: none, as for most servers
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

// count is the receiver that counts results and changes of state.
func count(c *Change) {
	switch {
	case c.Before.Verdict != health.Unknown: // it had another state
		c.s.tally.Transitions++
	case c.isNew():
		c.s.tally.Checks++
		if !c.Result.OK {
			var failures [checker.Causes]uint32
			if was := c.s.tally.failures; was != nil {
				failures = *was
			}
			failures[c.Result.Cause]++
			c.s.tally.failures = &failures
		}
		if !c.s.Fallback {
			c.v.took.count(c.Result.Took)
			c.v.stages.count(&c.Result.Stages)
		}
	}
}

// Bounds are the upper bounds of the histogram's classes. The last class has none.
var Bounds = [...]time.Duration{
	time.Millisecond, 5 * time.Millisecond, 10 * time.Millisecond, 50 * time.Millisecond, 100 * time.Millisecond,
	500 * time.Millisecond, time.Second, 5 * time.Second, 10 * time.Second, 30 * time.Second,
}

// Durations is a histogram of how long checks took.
type Durations struct {
	Count   uint64
	Sum     time.Duration
	Classes [len(Bounds)]uint64 // the checks that took no longer than each of Bounds
}

func (d *Durations) count(took time.Duration) {
	d.Count++
	d.Sum += took
	for i, bound := range Bounds {
		if took <= bound {
			d.Classes[i]++
		}
	}
}

// StageTimes sums up the time of each stage, over the checks that completed it.
type StageTimes [wire.Marks]StageTime

// StageTime is how many checks completed a stage, and their total time.
type StageTime struct {
	Count uint64
	Sum   time.Duration
}

// count adds a check. A stage begins when the previous one is done, whatever the order of the stages in that protocol.
func (all *StageTimes) count(s *wire.Stages) {
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

// OperationNames are the kinds of requests to the table: those of ipvsctl.OpKind, and last a read.
var OperationNames = [...]string{"add-service", "edit-service", "delete-service", "add-destination", "edit-destination",
	"delete-destination", "read"}

// readTable is the index of a read.
const readTable = len(OperationNames) - 1

// Counts are the numbers of succeeded and failed operations of one kind.
type Counts struct {
	Done   uint64 `json:"done"`
	Failed uint64 `json:"failed"`
}

func (o *Operations) count(kind int, err error) {
	if err != nil {
		o[kind].Failed++
		return
	}
	o[kind].Done++
}
