package core

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"time"

	"ldirectord/internal/announce"
	"ldirectord/internal/judge"
	"ldirectord/internal/lvs"
	"ldirectord/internal/notify"
	"ldirectord/internal/view"
)

// This file records where each announced address is, since when, and what was reported about it.

// announcement is one announced address.
type announcement struct {
	judge.Address
	virtuals []*virtual // the virtual services with this address; none: it left the file
	gone     bool       // the address left the file and is withdrawn
	keys     []lvs.Key  // of its virtual services; after it left the file, of the last ones

	since   time.Time // since when it has been where it is
	changes uint64
	trouble string
	foreign string // a device on which another program put it; "": none
	up      bool   // that device is up
	owner   string // the other daemon that has it; "": none
}

// awaitsRoute reports whether the first check of a server waits for a route to the virtual address.
func (x user) awaitsRoute(now time.Time) bool {
	return slices.ContainsFunc(x.v.addresses,
		func(one *announcement) bool { return one.Want.Addr == x.v.Config.CheckVIP && now.Before(one.RouteBy) })
}

// took handles the result of an order, which shows where the addresses are now.
func (a *announcer) took(all []announce.Place, err error) {
	a.busy, a.stale, a.again = false, true, time.Time{}
	byAddr, now := a.byAddr(), a.tell.now()
	for _, p := range all {
		if one := byAddr[p.Addr]; one != nil {
			if p.Owner != "" && len(one.virtuals) == 0 { // another daemon took it meanwhile: it is gone
				p.Device, p.Local, p.Trouble = "", false, nil
			}
			a.found(one, p)
		} else if p.Trouble != nil { // an address of the previous daemon
			err = errors.Join(err, fmt.Errorf("%s can't be withdrawn: %w", p.Addr, p.Trouble))
		}
	}
	if a.lookBy.IsZero() {
		a.lookBy = now.Add(announceTimeout)
	}
	a.looked = a.looked || err == nil || isDue(a.lookBy, now)
	a.tell.trouble(&a.trouble, err, notify.AnnounceFailed, "Addresses can't be announced",
		notify.AnnounceRecovered, "Addresses can be announced again")
	if a.trouble != "" || slices.ContainsFunc(a.list, func(one *announcement) bool { return one.Fails }) {
		a.again = now.Add(announceRetry)
	}
}

// found notes where an address is, and reports a change.
func (a *announcer) found(one *announcement, p announce.Place) {
	a.tell.trouble(&one.trouble, p.Trouble, notify.AnnounceFailed,
		fmt.Sprintf("%s is not where it should be", p.Addr),
		notify.AnnounceRecovered, fmt.Sprintf("%s is where it should be", p.Addr))
	was, why := one.At, cmp.Or(one.trouble, one.Why)
	one.Fails, one.foreign, one.up, one.owner = one.trouble != "", p.Foreign, p.Up, p.Owner
	moved := one.Found(p.Device, p.Local, a.tell.now())
	if was == one.At {
		return
	}
	if one.since = a.tell.now(); !moved { // the address was on this device at the start
		return
	}
	one.changes++
	e := notify.Event{Reason: why}
	switch one.State() {
	case "withdrawn":
		e.Say(notify.Withdrawn, "Withdrew %s from %s: %s", p.Addr, was, why)
	case "last resort":
		e.Say(notify.LastResort, "Announced %s on %s, the last resort: %s", p.Addr, one.At, why)
	default:
		e.Say(notify.Announced, "Announced %s on %s", p.Addr, one.At)
	}
	a.tell.emit(e)
	a.marks.tellState(one.virtuals...)
}

func (a *announcer) describe() (list []view.Announcement) {
	for _, one := range a.list {
		now := view.Announcement{
			Address: one.Want.Addr.String(), Device: one.Device, On: one.At, State: one.State(),
			Since: one.since, Why: cmp.Or(one.trouble, one.Why), Fails: one.Fails, Changes: one.changes,
			Foreign: one.foreign, Up: one.up, Owner: one.owner,
		}
		for _, v := range one.virtuals {
			now.IDs = append(now.IDs, v.Config.ID)
		}
		list = append(list, now)
	}
	return list
}

// isElsewhere reports whether a virtual service has addresses to announce and none of them is on its device.
func (v *virtual) isElsewhere() bool {
	return len(v.addresses) > 0 && !slices.ContainsFunc(v.addresses, (*announcement).IsThere)
}

// gather is called when a server comes up. If the addresses of v are not on their device because too few servers were
// up, this server is the first one back. The virtual service then waits for the others, and their checks are repeated
// soon. The same applies to the virtual services that share an address with v, because they are announced together.
func (e *examiner) gather(v *virtual, by *judgement) {
	for _, one := range v.addresses {
		for _, other := range one.virtuals {
			if other.Away = other.isElsewhere(); !other.IsAway() || other.Gathers() {
				continue
			}
			other.Gather(by.Began)
			other.look()
			for x := range checked(other) {
				e.hurry(x.j.check)
			}
		}
	}
}
