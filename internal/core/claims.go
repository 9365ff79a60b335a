package core

import (
	"fmt"
	"net/netip"
	"slices"

	"ldirectord/internal/judge"
	"ldirectord/internal/lvs"
	"ldirectord/internal/notify"
	"ldirectord/internal/view"
)

// Claims reports which virtual services other daemons on this machine have in the table. No daemon takes a virtual
// service from another.
type Claims interface {
	// Take claims the virtual services in keys for this director. It queues for those that another daemon has, but
	// does not wait until they are free. It gives up all other claims except those in left, which may still be in
	// the table. The result taken names the other daemon that has a virtual service. The result beside names
	// another daemon that has it, waits for it or changes it. Take is called before a virtual service is added and
	// after one is removed.
	Take(keys, left []lvs.Key) (taken, beside map[lvs.Key]string)
}

// claimant claims virtual services, and knows the claims of other daemons.
type claimant struct {
	*services
	claims  Claims                         // nil: there are no other daemons
	through func(left map[netip.Addr]bool) // see World
	idle    bool                           // the timeouts of idle connections are this daemon's to set

	marker    *marker
	announcer *announcer
}

// elsewhere returns the name of the other daemon that has a virtual service in the table, or "" if none has, or if this
// director is on standby.
func (v *virtual) elsewhere() string {
	if v.Owner == judge.ActiveDirector {
		return ""
	}
	return v.Owner
}

// shared returns the name of the daemon that waits for a virtual service of this daemon, or also changes it. It returns
// "" if there is none.
func (v *virtual) shared() string {
	if !v.IsOurs() {
		return ""
	}
	return v.Beside
}

var (
	elsewhereKind = kind{name: "elsewhere", says: func(a *subject) string {
		if a.v.elsewhere() == "" {
			return ""
		}
		return "belongs to " + a.v.Owner + "; this daemon only checks, " +
			"and takes over when that one gives up control"
	}}
	sharedKind = kind{name: "shared", says: func(a *subject) string {
		return view.After("it also belongs to ", a.v.shared())
	}}
)

// assign claims virtual services, and notes which daemon has each. It keeps the claims on the virtual services in left,
// which may still be in the table although they are not in the plan, or although this director is on standby. assign
// returns the virtual services that this daemon takes over from another one.
func (c *claimant) assign(virtuals, left []*virtual) (gained []*virtual) {
	now := judge.Claims{Standby: c.standby, Yielded: map[netip.Addr]bool{}}
	if c.claims != nil {
		wanted := now.Wanted(keysOf(virtuals), c.global.Timeouts)
		now.Taken, now.Beside = c.claims.Take(wanted, keysOf(left))
	}
	for _, v := range left {
		v.Beside = now.Beside[v.Key()]
	}
	for _, v := range virtuals {
		if now.Assign(&v.Claim, v.Key(), v.Config.CheckVIP) {
			gained = append(gained, v)
		}
	}
	c.idle, c.ours = now.HasTimeouts(), those(virtuals, (*virtual).IsOurs)
	if c.through != nil {
		c.through(now.Yielded)
	}
	return gained
}

// record tells the other daemons which virtual services this director may have in the table. If another daemon has
// given some up, this director takes them over as they are in the table.
func (c *claimant) record() {
	left := those(c.virtuals, func(v *virtual) bool { return v.LeftIn })
	c.takeOver(c.assign(c.virtuals, slices.Concat(left, c.purges)))
}

// takeOver reports which virtual services other daemons gave up, and makes them due. One that was queued for removal
// now stays.
func (c *claimant) takeOver(gained []*virtual) {
	if len(gained) == 0 {
		return
	}
	var names []string
	for _, v := range gained {
		v.touch()
		names = append(names, v.label())
	}
	isOurs := byKey(gained)
	c.purges = slices.DeleteFunc(c.purges, func(v *virtual) bool { return isOurs[v.Key()] != nil })
	c.tell.line(notify.TakenOver, "Taken over: "+view.Listed(names))
	c.announcer.reconsider()
	c.marker.order()
}

// leaves reports whether a virtual service stays in the table because another daemon shares it or waits for it.
func (c *claimant) leaves(v *virtual) bool {
	if v.Beside != "" {
		c.tell.say(v, nil, notify.TakenOver, fmt.Sprintf("Left to %s: %s", v.Beside, v.called()), "")
	}
	return v.Beside != ""
}
