package director

import (
	"context"
	"time"
)

// demotionTimeout is how long virtual services stay in the table for the commands that are told that they leave it.
const demotionTimeout = 3 * time.Second

// beginDemotion begins a demotion: onchange is called before the table is emptied, so that no client is sent to where
// nothing serves. Meanwhile the director continues.
func (d *Director) beginDemotion(ctx context.Context) {
	told := d.tell.leaving(d.ours, d.claimant.beside, "the director stands by")
	gone := d.announcer.demote()
	if told == nil && gone == nil {
		d.demote(ctx)
		return
	}
	over := make(chan struct{})
	go func() {
		defer close(over)
		allow(d.life, told, demotionTimeout)
		allow(d.life, gone, maxDemotionWait+announceTimeout)
	}()
	d.demotion = over
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
