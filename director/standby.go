package director

import (
	"context"
	"errors"
	"time"

	"ldirectord/lvs"
	"ldirectord/notify"
)

// role is whether the director serves or is on standby.
type role struct {
	standby bool // another director or daemon has the table
	// closed when the commands of a demotion have ended, or their time is over; nil: no demotion
	demotion <-chan struct{}
}

// SetStandby puts the director on standby, or makes it serve. On standby it checks every server and leaves the table
// alone; cleanstop decides whether its virtual services are removed first. When it serves again, it writes the table
// from the current states. SetStandby returns when the table and the mark rules follow, or when ctx is done.
func (d *Director) SetStandby(ctx context.Context, standby bool) error {
	return d.orders.submit(ctx, func(ctx context.Context, done chan<- struct{}) {
		switch {
		case standby && d.demotion != nil: // the demotion is under way
		case d.demotion != nil: // the demotion is cancelled
			d.demotion = nil
			d.announcer.followRole()
			d.tellState(d.virtuals...)
		case standby == d.standby:
		case standby:
			d.beginDemotion(ctx)
		default:
			d.promote(ctx)
		}
		d.awaiting = append(d.awaiting, done)
	})
}

// promote writes the whole table. Logs and mails show it as a start.
func (d *Director) promote(ctx context.Context) {
	d.standby = false
	d.announcer.followRole()
	d.tell.status = lvs.StatusStarting
	d.tell.line(notify.Promoted, "Promoted: the table follows the checks")
	d.claimant.record()
	d.remover.disown(nil)
	for _, v := range d.virtuals {
		v.touch()
	}
	d.marker.order()
	d.writer.sync(ctx, nil)
}

const standsBy = "Standing by: this director leaves the table alone"

// demote removes everything from the table. Logs and mails show it as a stop.
func (d *Director) demote(ctx context.Context) {
	d.tell.status = lvs.StatusStopping
	d.tell.line(notify.StandingBy, standsBy)
	named, announced := map[string]bool{}, d.announcer.byKey()
	d.writer.silence.AtOnce()
	d.claimant.assign(d.ours, d.purges) // which daemon waits now
	for _, v := range d.ours {
		if err := d.writer.leave(ctx, v, named); err != nil {
			rest := d.remover.add(v, announced[v.Key()])
			rest.told.stops = true
			if !errors.Is(err, errSilent) {
				d.writer.failed(ctx, rest, err)
			}
		}
		v.Left()
		v.wakeAt(time.Time{})
		v.writing = writing{dirty: v.dirty}
		v.unweigh()
		v.recent, v.held, v.full = nil, nil, false
		v.told = told{unjudgedAt: v.told.unjudgedAt} // the last calls of its hooks are forgotten
	}
	d.role = role{standby: true}
	d.announcer.followRole()
	d.marker.order()
	d.claimant.record()
	d.tell.status = lvs.StatusRunning
}

// demotionTimeout is how long virtual services stay in the table while commands run because of the demotion.
const demotionTimeout = 3 * time.Second

// beginDemotion begins a demotion: onchange is called before the table is emptied, so that no client is sent to a
// director without servers. Meanwhile the director continues.
func (d *Director) beginDemotion(ctx context.Context) {
	told := d.tell.leaving(d.ours, "the director stands by")
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

// allow waits for a channel, if there is one, within a time limit.
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
