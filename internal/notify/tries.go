package notify

import (
	"context"
	"errors"
	"sync"
	"time"
)

// killTime is how long End waits for cancelled tries. A program that hangs in the kernel can't be killed.
const killTime = time.Second

// Tries tracks goroutines that run commands, and goroutines that send something and retry after a pause. End ends them.
type Tries struct {
	Context        context.Context // the context of each try
	sync.WaitGroup                 // counts the goroutines
	cancel         func()
	ending         chan struct{}
	once           sync.Once
}

// NewTries returns Tries without goroutines.
func NewTries() *Tries {
	ctx, cancel := context.WithCancelCause(context.Background())
	kill := func() { cancel(errors.New("killed, because the daemon ends")) }
	return &Tries{Context: ctx, cancel: kill, ending: make(chan struct{})}
}

// Wake is a signal that is not lost if nobody waits for it yet. It ends the current pause or, if there is none, the
// next one.
type Wake chan struct{}

// NewWake returns a Wake whose Up has not been called yet.
func NewWake() Wake { return make(Wake, 1) }

// Up gives the signal. It never blocks.
func (w Wake) Up() {
	select {
	case w <- struct{}{}:
	default:
	}
}

// Pause waits for the given time, or until wake is signalled or End is called. It returns false if End was called.
func (t *Tries) Pause(pause time.Duration, wake Wake) bool {
	select {
	case <-time.After(pause):
	case <-wake:
	case <-t.ending:
		return false
	}
	return true
}

// Backoff returns the pause after a number of failed tries. It is first after one failure, and doubles with each
// further failure until it reaches last.
func Backoff(failed int, first, last time.Duration) time.Duration {
	return min(first<<min(failed-1, 16), last)
}

// End waits for the goroutines, and cancels their tries when ctx is done. It does not wait for a program that can't be
// killed.
func (t *Tries) End(ctx context.Context) {
	t.once.Do(func() { close(t.ending) })
	defer t.cancel()
	ended := make(chan struct{})
	go func() {
		t.Wait()
		close(ended)
	}()
	select {
	case <-ended:
		return
	case <-ctx.Done():
		t.cancel()
	}
	select {
	case <-ended:
	case <-time.After(killTime):
	}
}
