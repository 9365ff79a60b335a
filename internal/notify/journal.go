package notify

import (
	"cmp"
	"context"
	"fmt"
	"time"
)

// maxEvents is the maximum number of events that wait for one receiver. If 10,000 servers fail at once, there are
// 20,000 events of about 250 bytes each. A slow receiver can't block the daemon, because further events are only
// counted, and reported as a single event.
const maxEvents = 100_000

// Journal hands each event to every receiver, and never waits for a receiver. It calls each receiver in a separate
// goroutine and passes it one event at a time, in order. A receiver handles its own failures.
type Journal struct {
	queues []*queue[Event]
	cancel context.CancelFunc
}

// NewJournal returns a journal for these receivers. Close ends it.
func NewJournal(receivers ...func(Event)) *Journal {
	ctx, cancel := context.WithCancel(context.Background())
	j := &Journal{cancel: cancel}
	for i, receive := range receivers {
		j.queues = append(j.queues, newQueue(maxEvents, func(events []Event, lost int) {
			for _, e := range events {
				if ctx.Err() != nil {
					return
				}
				receive(e)
			}
			if lost > 0 {
				e := Event{Time: time.Now()}
				e.Say(Lost, "%d events were lost: they came faster than they could be reported", lost)
				receive(e)
				j.emit(e, i)
			}
		}))
	}
	return j
}

// Emit records an event. An event without a time gets the current one. Emit never blocks.
func (j *Journal) Emit(e Event) {
	if e.Time.IsZero() {
		e.Time = time.Now()
	}
	j.emit(e, -1)
}

// emit hands an event to all receivers except one that already has it.
func (j *Journal) emit(e Event, but int) {
	for i, q := range j.queues {
		if i != but {
			q.put(e)
		}
	}
}

// Close waits until every receiver has handled all events, but no longer than ctx allows.
func (j *Journal) Close(ctx context.Context) error {
	defer j.cancel()
	var late error
	for _, q := range j.queues {
		late = cmp.Or(late, q.end(ctx))
	}
	if late != nil {
		return fmt.Errorf("journal: some events were not reported: %w", late)
	}
	return nil
}
