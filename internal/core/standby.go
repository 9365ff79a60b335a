package core

import (
	"time"

	"ldirectord/internal/judge"
	"ldirectord/internal/lvs"
	"ldirectord/internal/notify"
)

// role records whether the core serves or is on standby.
type role struct {
	standby  bool // this director leaves the table alone
	demotion *demotion
}

// demotion is a demotion in progress. While the operator's commands run and addresses are withdrawn, the virtual
// services continue to serve.
type demotion struct {
	hooks bool      // commands or webhook posts are awaited
	until time.Time // the latest end of this wait; after it, of the wait for addresses
}

const (
	// HooksTimeout is the longest time for which the removal of virtual services waits for commands and webhook
	// posts that report it.
	HooksTimeout = 3 * time.Second

	// the order to stand by must be answered within 5 s, and the next order waits for the answer
	maxDemotionWait = 4 * time.Second
)

// SetStandby puts the core on standby, or makes it serve. On standby it has every server checked and leaves the table
// alone. cleanstop decides whether its virtual services are removed first. When the core serves again, it writes the
// table from the current states.
func (c *Core) SetStandby(now time.Time, standby bool) {
	c.tell.tick(now)
	switch {
	case standby && c.demotion != nil: // the demotion is under way
	case c.demotion != nil: // the demotion is cancelled
		c.demotion = nil
		c.announcer.followRole()
		c.marker.tellState(c.virtuals...)
	case standby == c.standby:
	case standby:
		c.beginDemotion()
	default:
		c.promote()
	}
}

// promote writes the whole table. Logs and mails show it as a start.
func (c *Core) promote() {
	c.standby = false
	c.announcer.followRole()
	c.tell.enter(lvs.StatusStarting)
	c.tell.line(notify.Promoted, "Promoted: the table follows the checks")
	c.claimant.record()
	c.writer.disown(nil)
	for _, v := range c.virtuals {
		v.touch()
	}
	c.marker.order()
	c.writer.sync(nil)
}

const standsBy = "Standing by: this director leaves the table alone"

// demote ends this director's service. Its virtual services that have cleanstop are removed from the table. Logs and
// mails show it as a stop.
func (c *Core) demote() {
	c.tell.enter(lvs.StatusStopping)
	c.tell.line(notify.StandingBy, standsBy)
	named, announced := map[string]bool{}, c.announcer.byKey()
	c.writer.silence.AtOnce()
	c.writer.tryAtOnce()
	for _, v := range c.ours {
		if o := c.writer.leave(v, named); o.Err != nil {
			rest := c.writer.discard(v, announced[v.Key()])
			rest.reported.stops = true
			if o.Answer != judge.Unsent {
				c.writer.failed(rest, o)
			}
		}
		v.Left()
		v.wakeAt(time.Time{})
		v.writing = writing{}
		v.touch() // reminders end
		v.unweigh()
		v.recent, v.held, v.full = nil, nil, false
		v.reported = reported{unjudgedAt: v.reported.unjudgedAt} // the last calls of its hooks are forgotten
	}
	c.role = role{standby: true}
	c.announcer.followRole()
	c.claimant.record()
	c.marker.order()
	c.tell.enter(lvs.StatusRunning)
}

// beginDemotion begins a demotion. onchange runs before the table is emptied, so that no client is sent to a director
// without servers. Meanwhile the core keeps working.
func (c *Core) beginDemotion() {
	hooks := c.tell.leaving(c.ours, "the director stands by")
	c.announcer.demote()
	if !hooks && !c.announcer.withdraws {
		c.demote()
		return
	}
	c.demotion = &demotion{hooks, c.tell.now().Add(HooksTimeout)}
	if !hooks {
		c.HooksEnded(c.tell.now())
	}
}

// HooksEnded notes that no receiver is awaited any more.
func (c *Core) HooksEnded(now time.Time) {
	c.tell.tick(now)
	if c.demotion != nil {
		*c.demotion = demotion{until: now.Add(maxDemotionWait + announceTimeout)}
	}
}

// demotionEnds returns the time at which the table is to be emptied.
func (c *Core) demotionEnds() time.Time {
	switch d := c.demotion; {
	case d.hooks && c.announcer.withdraws:
		return d.until.Add(maxDemotionWait + announceTimeout)
	case d.hooks || c.announcer.withdraws:
		return d.until
	}
	return c.tell.now()
}
