package notify

import (
	"context"
	"iter"
	"sync"
)

// queue is what waits for one goroutine. Whoever puts something there never waits: what finds no room is counted.
type queue[T any] struct {
	max   int
	ready chan struct{} // there is something to take, or the end has come

	mu     sync.Mutex // guards what follows
	items  []T
	lost   int
	closed bool
}

func newQueue[T any](max int) *queue[T] {
	return &queue[T]{max: max, ready: make(chan struct{}, 1)}
}

// put adds an item. After close it does nothing.
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
	q.wake()
}

// close lets batches end after what is there.
func (q *queue[T]) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	q.wake()
}

func (q *queue[T]) wake() {
	select {
	case q.ready <- struct{}{}:
	default:
	}
}

// batches are the items as they come, and how many were lost after them, until the end.
func (q *queue[T]) batches() iter.Seq2[[]T, int] {
	return func(yield func([]T, int) bool) {
		for range q.ready {
			items, lost, closed := q.take()
			if !yield(items, lost) || closed {
				return
			}
		}
	}
}

func (q *queue[T]) take() (items []T, lost int, closed bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	items, lost = q.items, q.lost
	q.items, q.lost = nil, 0
	return items, lost, q.closed
}

// ended waits for the end of goroutines, but no longer than ctx allows.
func ended(ctx context.Context, running *sync.WaitGroup) error {
	done := make(chan struct{})
	go func() { running.Wait(); close(done) }()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
