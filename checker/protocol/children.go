package protocol

import (
	"context"
	"sync"
	"time"

	"ldirectord/checker/wire"
)

// maxStall limits the wait while no slot comes free. Until the wait is over, nothing is reported.
const maxStall = 5 * time.Minute

// Children limits how many programs of checks run at once. If it is nil, there is no limit.
type Children struct {
	slots chan struct{}

	mu      sync.Mutex
	longest time.Duration // the time that the slowest program so far may take
	freed   time.Time     // when a slot last came free
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

// acquire waits for a slot for a program that takes at most the time in latest. While slots still come free, it does
// not give up, because it would lose its place in the queue.
func (c *Children) acquire(ctx context.Context, latest time.Duration) error {
	if c == nil {
		return nil
	}
	c.mu.Lock()
	c.longest = max(c.longest, latest)
	c.mu.Unlock()
	stuck := make(chan struct{})
	defer c.watch(stuck).Stop()
	select {
	case c.slots <- struct{}{}:
		return nil
	case <-stuck:
		return errCrowded
	case <-ctx.Done():
	}
	return wire.ErrStopped
}

// watch closes stuck once no slot has come free for the time that the slowest program may take, or for maxStall if that
// is shorter. The time before the call does not count.
func (c *Children) watch(stuck chan<- struct{}) *time.Timer {
	c.mu.Lock()
	defer c.mu.Unlock()
	then := time.Now()
	left := func() time.Duration {
		if c.freed.After(then) {
			then = c.freed
		}
		return min(c.longest, maxStall) - time.Since(then)
	}
	var timer *time.Timer
	timer = time.AfterFunc(left(), func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		if rest := left(); rest > 0 {
			timer.Reset(rest)
		} else {
			close(stuck)
		}
	})
	return timer
}

func (c *Children) release() {
	if c == nil {
		return
	}
	c.mu.Lock()
	c.freed = time.Now()
	c.mu.Unlock()
	<-c.slots
}
