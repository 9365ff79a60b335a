package notify

import (
	"context"
	"sync"
)

// queue holds items for its goroutine. put never waits: if the queue is full, put only counts the item as lost.
type queue[T any] struct {
	max   int
	ready Wake          // signals items; closed after the last one
	ended chan struct{} // closed when the goroutine has ended

	mu     sync.Mutex // guards what follows
	items  []T
	lost   int
	closed bool
}

// newQueue returns a queue of at most max items. A goroutine passes the items and the number of lost ones to handOver.
// It ends after end is called and the rest is handed over.
func newQueue[T any](max int, handOver func(items []T, lost int)) *queue[T] {
	q := &queue[T]{max: max, ready: NewWake(), ended: make(chan struct{})}
	go func() {
		defer close(q.ended)
		for range q.ready {
			handOver(q.take())
		}
	}()
	return q
}

// put adds an item. After end it does nothing.
func (q *queue[T]) put(item T) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return
	}
	if len(q.items) >= q.max {
		q.lost++
		return
	}
	q.items = append(q.items, item)
	q.ready.Up()
}

// end closes the queue and waits until the goroutine has handed over the remaining items, but no longer than ctx
// allows.
func (q *queue[T]) end(ctx context.Context) error {
	q.mu.Lock()
	if !q.closed {
		q.closed = true
		close(q.ready)
	}
	q.mu.Unlock()
	select {
	case <-q.ended:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (q *queue[T]) take() (items []T, lost int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	items, lost = q.items, q.lost
	q.items, q.lost = nil, 0
	return items, lost
}
