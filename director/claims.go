package director

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"ldirectord/lvs"
	"ldirectord/notify"
)

// Claims tell which virtual services other daemons of this machine have in the table. The daemon that has one keeps it.
type Claims interface {
	// Take makes these virtual services this director's, but for those that another daemon has: it waits for
	// them. It gives up all others but those in left, which may still be in the table by it. Theirs names the
	// daemon that has each of them, beside the one that has one too, waits for it or changes it. It is called
	// before a virtual service is added and after one went.
	Take(keys, left []lvs.Key) (theirs, beside map[lvs.Key]string)
	// Changed tells that either may be different now.
	Changed() <-chan struct{}
}

// activeDirector has the virtual services of a director that stands by.
const activeDirector = "the active director"

// isOurs reports whether a virtual service belongs in the table by this director. One that does not is checked, and
// no more.
func (v *virtual) isOurs() bool { return !v.Theirs }

// belongsTo notes which other daemon has a virtual service; "": it is ours.
func (v *virtual) belongsTo(owner string) { v.owner, v.Theirs = owner, owner != "" }

// claimant claims virtual services, and knows what other daemons have.
type claimant struct {
	*services
	claims  Claims                         // nil: there are no others
	through func(left map[netip.Addr]bool) // see Deps
	beside  map[lvs.Key]string             // the daemon that waits for a virtual service, or changes it too

	marker    *marker
	announcer *announcer
}

// assign decides which daemon has each virtual service. Left are those that are no longer configured and may be in
// the table. It returns those that another daemon had, and this one has now.
func (c *claimant) assign(virtuals, left []*virtual) (gained []*virtual) {
	var theirs map[lvs.Key]string
	var ours []*virtual
	claimed := virtuals
	if c.standby {
		claimed = nil
	}
	if c.claims != nil {
		theirs, c.beside = c.claims.Take(keysOf(claimed), keysOf(left))
	}
	aside := map[netip.Addr]bool{}
	for _, v := range virtuals {
		was := v.owner
		if v.belongsTo(theirs[v.key]); c.standby {
			v.belongsTo(activeDirector)
		}
		if v.isOurs() {
			ours = append(ours, v)
		}
		if was != "" && was != activeDirector && v.isOurs() {
			gained = append(gained, v)
		}
		if all, met := aside[v.cfg.CheckVIP]; all || !met {
			aside[v.cfg.CheckVIP] = theirs[v.key] != ""
		}
	}
	c.ours = ours
	if c.through != nil {
		c.through(aside)
	}
	return gained
}

// record passes on which virtual services this director may have in the table. Those that another daemon does not have
// any more it takes over, as they are found there.
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
	c.tell.emit(notify.Event{Kind: notify.TakenOver, Text: "Taken over: " + Listed(names)})
	c.announcer.stale = true
	c.marker.order()
}

// leaves leaves a virtual service in the table to another daemon that has it or waits for it.
func (c *claimant) leaves(v *virtual) bool {
	to := c.beside[v.key]
	if to != "" {
		c.tell.say(v, nil, notify.TakenOver, fmt.Sprintf("Left to %s: %s", to, v.called()), "")
	}
	return to != ""
}

// Listed is a list in one line, not too much of it.
func Listed(names []string) string {
	const most = 10
	line := strings.Join(names[:min(len(names), most)], ", ")
	if more := len(names) - most; more > 0 {
		line += fmt.Sprintf(" and %d more", more)
	}
	return line
}
