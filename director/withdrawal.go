package director

import (
	"context"
	"slices"
	"time"

	"ldirectord/judge"
)

// This file withdraws addresses: by the operator's order, at a demotion, at a stop, and after they left the file.
// Packets still arrive for a moment, so their virtual services continue to serve.

// the order for standby is answered within 5 s, and the next order waits for it
const maxDemotionWait = 4 * time.Second

// together is what decides about all addresses.
func (a *announcer) together() judge.Addressing {
	return judge.Addressing{Stops: a.atEnd, Standby: a.standby || a.demotion != nil && !a.atEnd,
		Withdraw: a.withdrawWait(), Repair: a.global.Repair, Fails: a.trouble != ""}
}

// withdrawWait is how long the services of a withdrawn address continue to serve. The command that orders a demotion
// waits for it, so it is short.
func (a *announcer) withdrawWait() time.Duration {
	wait := a.global.WithdrawWait.Duration()
	if a.standby || a.demotion != nil {
		wait = min(wait, maxDemotionWait)
	}
	return wait
}

// isWithdrawn reports whether all withdrawn addresses are removed.
func (a *announcer) isWithdrawn(now time.Time) bool {
	together := a.together()
	return !slices.ContainsFunc(a.list, func(one *announcement) bool {
		return one.Order != "" && !one.IsGone(together, now)
	})
}

// holds reports whether a virtual service that left the file must still serve, because its addresses may still be
// announced.
func (a *announcer) holds(addresses []*announcement) bool {
	return !a.looked || slices.ContainsFunc(addresses, a.lingers)
}

// lingers reports whether an address that left the file still has to be served.
func (a *announcer) lingers(one *announcement) bool {
	isUsed := len(one.virtuals) > 0 && !a.standby
	return !one.gone && !isUsed && one.Lingers(a.busy, a.together(), time.Now())
}

// demote withdraws all addresses, until the role changes. The channel is closed when that is done; it is nil if there
// are none.
func (a *announcer) demote() <-chan struct{} {
	a.followRole()
	if len(a.list) > 0 {
		a.gone = make(chan struct{})
	}
	return a.gone
}

// followRole decides again after a change of the role. No demotion is in progress.
func (a *announcer) followRole() { a.gone, a.stale = nil, true }

// withdrawAtEnd withdraws the addresses whose virtual services are about to be removed, and waits for that.
func (a *announcer) withdrawAtEnd(ctx context.Context, alive func()) {
	a.atEnd = true
	if len(a.list) == 0 || !a.isOver(ctx) {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, a.withdrawWait()+announceTimeout)
	defer cancel()
	for ctx.Err() == nil {
		a.settle(ctx)
		if a.isWithdrawn(time.Now()) {
			return
		}
		alive()
		never := make(chan struct{})
		allow(ctx, never, max(min(time.Until(a.look), announceRetry), 10*time.Millisecond))
	}
}

// settle carries out pending work at once, at a stop.
func (a *announcer) settle(ctx context.Context) {
	if len(a.list) == 0 {
		return
	}
	a.due = false
	a.decide(time.Now())
	a.took(a.put(ctx, a.want))
	a.decide(time.Now()) // decide what follows from the results
}
