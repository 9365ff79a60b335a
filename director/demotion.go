package director

import (
	"context"
	"time"
)

// demotionTimeout is how long virtual services stay in the table for the commands that are told that they leave it.
const demotionTimeout = 3 * time.Second

// demoting ends when the commands that are told, and the addresses that go, had their time.
func demoting(life context.Context, told, gone <-chan struct{}) <-chan struct{} {
	over := make(chan struct{})
	go func() {
		defer close(over)
		allow(life, told, demotionTimeout)
		allow(life, gone, maxDemotionWait+announceTimeout)
	}()
	return over
}

// allow waits for something, if it is there, for as long as it may take.
func allow(ctx context.Context, ended <-chan struct{}, limit time.Duration) {
	if ended == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	select {
	case <-ended:
	case <-ctx.Done():
	}
}
