package core

import (
	"strings"
	"time"

	"ldirectord/internal/announce"
	"ldirectord/internal/history"
	"ldirectord/internal/lvs"
	"ldirectord/internal/maintenance"
	"ldirectord/internal/schedule"
)

// Effects lists what has to be done after a step. Changes to mark rules and addresses are slow, so their results come
// back as events.
type Effects struct {
	SetRules bool // set exactly these mark rules; Marked takes the result
	Rules    []lvs.MarkRule
	Place    bool // put these addresses on devices, and withdraw all others; Placed takes the result
	Wanted   []lvs.Wanted
	Follow   bool      // changes of addresses and devices matter, see Recheck
	Idle     bool      // no demotion and no order for mark rules is under way
	Settled  bool      // the start no longer waits for any check, see check.awaited
	Next     time.Time // when the next step is due by time alone; zero: never
}

// Step updates everything that events and time have made due: the table, addresses, mark rules and orders.
func (c *Core) Step(now time.Time) Effects {
	c.tell.tick(now)
	if isDue(c.compared, now) {
		c.compare()
		c.compared = c.tell.now().Add(c.driftInterval())
	}
	if isDue(c.departures.lookAt, now) {
		c.departures.look(&c.writer)
	}
	if isDue(c.observer.lookAt, now) {
		c.observer.look(&c.writer)
	}
	if c.demotion != nil && isDue(c.demotionEnds(), now) {
		c.demote()
	}
	if isDue(c.ordered.next, now) {
		c.ordered.apply()
	}
	c.writer.sync(nil)
	return c.effects()
}

// compare compares the table, mark rules and addresses with what they should be, and servers with each other.
func (c *Core) compare() {
	c.writer.checkDrift()
	c.marker.recheck()
	c.announcer.recheck()
	c.examiner.compare()
}

// effects decides where the addresses belong, and returns what to do.
func (c *Core) effects() (e Effects) {
	c.announce()
	e.Rules, e.SetRules = c.marker.take()
	e.Wanted, e.Place = c.announcer.take()
	e.Follow = len(c.announcer.list) > 0
	e.Idle = c.marker.idle() && c.demotion == nil
	if e.Settled = c.examiner.waiting == 0; e.Settled {
		c.tell.enter(lvs.StatusRunning)
	}
	e.Next = c.next()
	return e
}

// announce decides again where the addresses belong, after a change.
func (c *Core) announce() {
	a, now := c.announcer, c.tell.now()
	for _, v := range c.agenda.open {
		if v.isUnweighed() {
			v.Weigh()
			v.weighed = true
			a.reconsider()
		}
	}
	if !a.stale && !isDue(a.look, now) {
		return
	}
	a.decide(now)
	if c.examiner.held {
		c.examiner.run(nil)
	}
}

// next returns the time at which the next step is due if no event happens before. Zero means never.
func (c *Core) next() time.Time {
	next := c.writer.nextTry(c.agenda.open, those(c.purges, c.writer.mayGo))
	if !c.ordered.next.IsZero() {
		next = earliest(next, c.ordered.next, c.tell.now().Add(clockLook))
	}
	if c.demotion != nil {
		next = earliest(next, c.demotionEnds())
	}
	return earliest(next, c.announcer.look, c.movers.due, c.departures.lookAt, c.observer.lookAt, c.compared)
}

// isDue reports whether a time has come. The zero time never comes.
func isDue(at, now time.Time) bool { return !at.IsZero() && !now.Before(at) }

// earliest returns the first of these times, ignoring zero times. If all are zero, so is the result.
func earliest(times ...time.Time) (first time.Time) {
	for _, t := range times {
		if first.IsZero() || !t.IsZero() && t.Before(first) {
			first = t
		}
	}
	return first
}

// Results handles the results of checks.
func (c *Core) Results(now time.Time, updates []schedule.Update) {
	c.tell.tick(now)
	c.examiner.results(updates)
}

// Maintained handles a reading of maintenancedir.
func (c *Core) Maintained(now time.Time, r maintenance.Reading) {
	c.tell.tick(now)
	c.folder.obey(r)
}

// Placed handles the result of an order for addresses: where they are now, and the error if the order failed.
func (c *Core) Placed(now time.Time, all []announce.Place, err error) {
	c.tell.tick(now)
	c.announcer.took(all, err)
}

// Recheck is called when network devices or their addresses have changed. The announced addresses are then examined.
func (c *Core) Recheck() { c.announcer.recheck() }

// Claimed handles a change in other daemons' claims. If another daemon has given up virtual services of the file, this
// one takes them over at once.
func (c *Core) Claimed(now time.Time) {
	c.tell.tick(now)
	if c.demotion == nil {
		c.claimant.record()
	}
	c.writer.sync(nil)
	c.writer.checkDrift()
}

// Marked handles the result of an order for mark rules, with a line for each damaged rule that was restored.
func (c *Core) Marked(now time.Time, rules []lvs.MarkRule, restored []string, err error) {
	c.RulesSet(now, rules, restored, err)
	c.announcer.reconsider()
	for _, v := range c.ours {
		if len(v.Marks) == 0 {
			continue
		}
		for _, what := range restored {
			if v.Key().IPv6 == strings.HasPrefix(what, "IPv6") {
				what = "changed externally: mark rules: " + what + "; restored"
				c.tell.note(history.Changed, what, v.servers...)
			}
		}
		c.marker.tellState(v)
	}
}
