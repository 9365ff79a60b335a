package notify

import (
	"context"
	"errors"
	"sync"
	"time"
)

// Tries tracks senders that retry after a pause, and commands. End ends them.
type Tries struct {
	Context        context.Context // the context of each try
	sync.WaitGroup                 // counts the goroutines
	cancel         func()
	ending         chan struct{}
	once           sync.Once
}

// NewTries returns Tries without senders.
func NewTries() *Tries {
	ctx, cancel := context.WithCancelCause(context.Background())
	kill := func() { cancel(errors.New("killed, because the daemon ends")) }
	return &Tries{Context: ctx, cancel: kill, ending: make(chan struct{})}
}

// Pause waits, but not longer than for a word from wake, and not after End.
func (t *Tries) Pause(pause time.Duration, wake <-chan struct{}) {
	select {
	case <-time.After(pause):
	case <-wake:
	case <-t.ending:
	}
}

// Backoff is the pause after a number of tries that failed: first after one, doubled with each other, up to last.
func Backoff(failed int, first, last time.Duration) time.Duration {
	return min(first<<min(failed-1, 16), last)
}

// End waits for the goroutines, and cancels their tries when ctx is done.
func (t *Tries) End(ctx context.Context) {
	t.once.Do(func() { close(t.ending) })
	defer t.cancel()
	defer context.AfterFunc(ctx, t.cancel)()
	t.Wait()
}
