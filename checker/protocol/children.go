package protocol

import (
	"context"
	"sync"
	"time"
)

// maxTurns limits the wait for a slot, as a multiple of the time that the slowest program may take. After that time,
// the slots of programs that hang come free, and whoever gives up then loses its place in the queue.
const maxTurns = 10

// Children limits how many programs of checks run at once. If it is nil, there is no limit.
type Children struct {
	slots chan struct{}

	mu      sync.Mutex
	longest time.Duration // the time that the slowest program so far may take
}

// NewChildren returns a limit of this many programs.
func NewChildren(limit int) *Children { return &Children{slots: make(chan struct{}, limit)} }

// Limit returns how many programs may run at once; 0: no limit.
func (c *Children) Limit() int {
	if c == nil {
		return 0
	}
	return cap(c.slots)
}

// acquire waits for a slot, for a program that may take this long.
func (c *Children) acquire(ctx context.Context, latest time.Duration) error {
	if c == nil {
		return nil
	}
	_, err := acquire(ctx, c.slots, maxTurns*c.slowest(latest), errCrowded)
	return err
}

// slowest returns the time that the slowest program may take. A faster one may have to wait for it.
func (c *Children) slowest(latest time.Duration) time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.longest = max(c.longest, latest)
	return c.longest
}

func (c *Children) release() {
	if c != nil {
		releaseSlot(c.slots)
	}
}
