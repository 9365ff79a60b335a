package director

import (
	"fmt"
	"net/netip"
	"slices"

	"ldirectord/lvs"
	"ldirectord/notify"
	"ldirectord/view"
)

// Claims report which virtual services other daemons of this machine have in the table. A daemon keeps the virtual
// services that it has.
type Claims interface {
	// Take claims these virtual services for this director, except those that another daemon has: for those it
	// waits. It gives up all other claims except those in left, which may still be in the table. Theirs names the
	// daemon that has each virtual service; beside names daemons that share one, wait for it or change it. Take is
	// called before a virtual service is added and after one was removed.
	Take(keys, left []lvs.Key) (theirs, beside map[lvs.Key]string)
	// Changed signals that the answers of Take may have changed.
	Changed() <-chan struct{}
}

// activeDirector has the virtual services of a director that is on standby.
const activeDirector = "the active director"

// isOurs reports whether this director puts a virtual service into the table. Otherwise it only checks the servers.
func (v *virtual) isOurs() bool { return !v.Theirs }

// belongsTo notes which other daemon has a virtual service; "": it is ours.
func (v *virtual) belongsTo(owner string) { v.owner, v.Theirs = owner, owner != "" }

// claimant claims virtual services, and knows the claims of other daemons.
type claimant struct {
	*services
	claims  Claims                         // nil: there are no other daemons
	through func(left map[netip.Addr]bool) // see Deps
	idle    bool                           // the timeouts of idle connections are this daemon's to set

	marker    *marker
	announcer *announcer
}

// assign decides which daemon has each virtual service. left has the virtual services that are no longer configured
// and may still be in the table. It returns the virtual services that this daemon takes over from another one.
func (c *claimant) assign(virtuals, left []*virtual) (gained []*virtual) {
	var theirs, beside map[lvs.Key]string
	var ours []*virtual
	var claimed []lvs.Key
	if !c.standby {
		claimed = keysOf(virtuals)
		if c.global.Timeouts != (lvs.Timeouts{}) {
			claimed = append(claimed, lvs.TimeoutsKey)
		}
	}
	if c.claims != nil {
		theirs, beside = c.claims.Take(claimed, keysOf(left))
	}
	for _, v := range slices.Concat(virtuals, left) {
		v.beside = beside[v.Key()]
	}
	c.idle = !c.standby && theirs[lvs.TimeoutsKey] == ""
	aside := map[netip.Addr]bool{}
	for _, v := range virtuals {
		was := v.owner
		if v.belongsTo(theirs[v.Key()]); c.standby {
			v.belongsTo(activeDirector)
		}
		if v.isOurs() {
			ours = append(ours, v)
		}
		if was != "" && was != activeDirector && v.isOurs() {
			gained = append(gained, v)
		}
		if all, met := aside[v.Config.CheckVIP]; all || !met {
			aside[v.Config.CheckVIP] = theirs[v.Key()] != ""
		}
	}
	c.ours = ours
	if c.through != nil {
		c.through(aside)
	}
	return gained
}

// record passes on the virtual services that this director may have in the table. It takes over those that no other
// daemon has any more, as they are in the table.
func (c *claimant) record() {
	left := slices.DeleteFunc(slices.Clone(c.virtuals), func(v *virtual) bool { return !v.leftBehind })
	gained := c.assign(c.virtuals, slices.Concat(left, c.purges))
	if len(gained) == 0 {
		return
	}
	var names []string
	for _, v := range gained {
		v.touch()
		v.leftBehind = false
		names = append(names, v.label())
	}
	c.tell.line(notify.TakenOver, "Taken over: "+view.Listed(names))
	c.announcer.stale = true
	c.marker.order()
}

// leaves reports whether a virtual service stays in the table for another daemon, which has it or waits for it.
func (c *claimant) leaves(v *virtual) bool {
	if v.beside != "" {
		c.tell.say(v, nil, notify.TakenOver, fmt.Sprintf("Left to %s: %s", v.beside, v.called()), "")
	}
	return v.beside != ""
}
