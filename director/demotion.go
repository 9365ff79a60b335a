package director

import (
	"context"
	"sync/atomic"
	"time"
)

// demotionTimeout is how long virtual services stay in the table for the commands that are told that they leave it.
const demotionTimeout = 3 * time.Second

// beginDemotion begins a demotion: onchange is called before the table is emptied, so that no client is sent to where
// nothing serves. Meanwhile the director continues.
func (d *Director) beginDemotion(ctx context.Context) {
	told, gone := d.tellLeaving("the director stands by"), d.addresses.withdrawn()
	if told == nil && gone == nil {
		d.demote(ctx)
		return
	}
	over, limit := make(chan struct{}), maxDemotionWait+announceTimeout
	go func() {
		defer close(over)
		d.allow(d.life, told, demotionTimeout)
		d.allow(d.life, gone, limit)
	}()
	d.demotion = over
}

// cancelDemotion cancels a demotion under way.
func (d *Director) cancelDemotion() {
	d.demotion = nil
	d.addresses.gone, d.addresses.stale = nil, true
	for _, v := range d.virtuals {
		if v.written != nil {
			d.runOnChange(v)
		}
	}
}

// allow waits for something, if it is there, for as long as it may take.
func (d *Director) allow(ctx context.Context, ended <-chan struct{}, limit time.Duration) {
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

// tellLeaving tells of the virtual services that are about to leave the table. The channel is closed when the commands
// have ended and the webhook was tried; it is nil when nobody is told.
func (d *Director) tellLeaving(why string) <-chan struct{} {
	ended, any := make(chan struct{}), false
	var left atomic.Int32 // commands, and this function
	left.Store(1)
	end := func() {
		if left.Add(-1) == 0 {
			close(ended)
		}
	}
	begin := func() func() {
		any = true
		left.Add(1)
		return end
	}
	for _, v := range d.ours {
		if !d.tells(v) || !d.goes(v) || v.lastOnChange != nil && !v.announced {
			continue
		}
		now, up := v.snapshot()
		now.Available, now.Reason = false, why
		d.tellChange(v, now, up, begin)
	}
	if !any {
		return nil
	}
	end()
	return ended
}
