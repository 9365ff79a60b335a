package core

import (
	"slices"
	"time"

	"ldirectord/internal/announce"
	"ldirectord/internal/judge"
	"ldirectord/internal/lvs"
)

// This file withdraws addresses: by the operator's order, at a demotion, at a stop, and after they left the file.
// Packets still arrive for a moment, so their virtual services continue to serve.

// together returns the facts on which the places of all addresses depend.
func (a *announcer) together() judge.Addressing {
	return judge.Addressing{Stops: a.atEnd, Standby: a.standby || a.demotion != nil && !a.atEnd,
		Withdraw: a.withdrawWait(), Repair: a.global.Repair, Fails: a.trouble != "",
		Broken: a.machine.withdraws()}
}

// withdrawWait returns how long the services of a withdrawn address continue to serve. On standby and during a demotion
// it is at most maxDemotionWait, because the command that orders a demotion waits for its end.
func (a *announcer) withdrawWait() time.Duration {
	wait := a.global.WithdrawWait.Duration()
	if a.standby || a.demotion != nil {
		wait = min(wait, maxDemotionWait)
	}
	return wait
}

// isWithdrawn reports whether all addresses that have to be withdrawn are gone and no longer have to be served.
func (a *announcer) isWithdrawn(now time.Time) bool {
	together := a.together()
	return !slices.ContainsFunc(a.list, func(one *announcement) bool {
		return one.Order != "" && !one.IsGone(together, now)
	})
}

// holds reports whether a virtual service that left the file must still serve, because its addresses may still be
// announced. A virtual service without addresses may come from the previous daemon. It waits for all addresses of that
// daemon that the first plan lacks.
func (a *announcer) holds(addresses []*announcement) bool {
	if len(addresses) == 0 {
		// there may be thousands of these addresses, and as many virtual services that wait, so addresses that
		// no longer have to be served are dropped
		for len(a.leavers) > 0 && !a.lingers(a.leavers[0]) {
			a.leavers = a.leavers[1:]
		}
		addresses = a.leavers
	}
	return !a.looked || slices.ContainsFunc(addresses, a.lingers)
}

// lingers reports whether an address that left the file still has to be served.
func (a *announcer) lingers(one *announcement) bool {
	isUsed := len(one.virtuals) > 0 && !a.standby
	return !one.gone && !isUsed && one.Lingers(a.busy, a.together(), a.tell.now())
}

// demote has all addresses withdrawn. The demotion waits until they are, or until the role changes.
func (a *announcer) demote() {
	a.followRole()
	a.withdraws = len(a.list) > 0
}

// followRole makes the next step decide the place of each address again, because the role has changed. A demotion then
// no longer waits for addresses.
func (a *announcer) followRole() { a.withdraws, a.stale = false, true }

// Announces reports whether there are addresses to announce or to withdraw.
func (c *Core) Announces() bool { return len(c.announcer.list) > 0 }

// WithdrawWait returns the longest time that it takes to withdraw addresses at a stop.
func (c *Core) WithdrawWait() time.Duration { return c.announcer.withdrawWait() + announceTimeout }

// Withdrawing returns the addresses that must still be on their devices during a stop. Withdrew must then be called
// with the places where the addresses are.
func (c *Core) Withdrawing(now time.Time) []lvs.Wanted {
	c.tell.tick(now)
	c.announcer.interrupt()
	c.announcer.decide(now)
	return c.announcer.want
}

// Withdrew handles the places of the addresses during a stop. It returns the time of the next try, and whether all
// addresses that have to be withdrawn are gone.
func (c *Core) Withdrew(now time.Time, all []announce.Place, err error) (again time.Time, over bool) {
	c.Placed(now, all, err)
	c.announcer.decide(now)
	return c.announcer.look, c.announcer.isWithdrawn(now)
}
