package notify

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// Notifier hears of events: one at a time, in order, in a goroutine of its own. What it returns is
// for itself to have handled: the journal goes on.
type Notifier interface {
	Notify(context.Context, Event)
}

// NotifyFunc is a function that hears of events.
type NotifyFunc func(context.Context, Event)

// Notify calls f.
func (f NotifyFunc) Notify(ctx context.Context, e Event) { f(ctx, e) }

// queueLength is how many events may wait for one notifier: the end of 10,000 servers tells 20,000 at once,
// about 250 bytes each. What comes beyond is counted and told as one event, so that nothing is lost in
// silence and nobody who is slow can stop the daemon.
const queueLength = 100_000

// Journal hands each event to every notifier without ever waiting for one.
type Journal struct {
	readers []*reader
	wait    sync.WaitGroup
	cancel  context.CancelFunc
}

type reader struct {
	to    Notifier
	ready chan struct{}

	mu     sync.Mutex // guards what follows
	queue  []Event
	lost   int
	closed bool
}

// NewJournal returns a journal for these notifiers. Close ends it.
func NewJournal(to ...Notifier) *Journal {
	ctx, cancel := context.WithCancel(context.Background())
	j := &Journal{cancel: cancel}
	for _, n := range to {
		r := &reader{to: n, ready: make(chan struct{}, 1)}
		j.readers = append(j.readers, r)
		j.wait.Go(func() { r.run(ctx) })
	}
	return j
}

// Emit records an event; its time is now unless it has one. It never blocks.
func (j *Journal) Emit(e Event) {
	if e.Time.IsZero() {
		e.Time = time.Now()
	}
	for _, r := range j.readers {
		r.put(e)
	}
}

// Close waits until every notifier has heard everything, but no longer than ctx allows.
func (j *Journal) Close(ctx context.Context) error {
	done := make(chan struct{})
	for _, r := range j.readers {
		r.close()
	}
	go func() { j.wait.Wait(); close(done) }()
	defer j.cancel()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("journal: some events were not told: %w", ctx.Err())
	}
}

func (r *reader) put(e Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return
	}
	if len(r.queue) >= queueLength {
		r.lost++
		return
	}
	r.queue = append(r.queue, e)
	r.wake()
}

func (r *reader) close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closed = true
	r.wake()
}

func (r *reader) wake() {
	select {
	case r.ready <- struct{}{}:
	default:
	}
}

func (r *reader) run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-r.ready:
		}
		events, closed := r.take()
		for _, e := range events {
			if ctx.Err() != nil {
				return
			}
			r.to.Notify(ctx, e)
		}
		if closed {
			return
		}
	}
}

func (r *reader) take() (events []Event, closed bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	events, r.queue = r.queue, nil
	if r.lost > 0 {
		text := fmt.Sprintf("%d events were lost: they came faster than they could be told", r.lost)
		events = append(events, Event{Time: time.Now(), Kind: Lost, Text: text})
		r.lost = 0
	}
	return events, r.closed
}
