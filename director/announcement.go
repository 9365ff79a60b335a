package director

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"ldirectord/announce"
	"ldirectord/lvs"
	"ldirectord/notify"
	"ldirectord/view"
)

// This file keeps where each announced address is, since when, and what was reported about it.

// announcement is one announced address.
type announcement struct {
	addr         netip.Addr
	device, last string     // the devices of announce and lastresort
	virtuals     []*virtual // the virtual services with this address; none: it left the file
	gone         bool       // the address left the file and is withdrawn
	asked        bool       // checks go through the address. Without a route to it they wait
	keys         []lvs.Key  // the real servers of its virtual services
	owner        string     // the other daemon that has all its virtual services; "": none

	decided bool // the first results of its servers were there once
	want    announce.Want
	why     string    // why it should not be announced; "" if it should
	order   string    // the order that withdraws it; "": none
	left    time.Time // since when an order withdraws it; zero: none does
	routeBy time.Time // until when first checks through it wait for its local route; zero: they don't wait

	known   bool   // it is known where the address is
	at      string // the device that it is on; "" for none
	since   time.Time
	changes uint64
	trouble string
}

// places is the result of an order to the announcer.
type places struct {
	all []announce.Place
	err error
}

// isThere reports whether the address is on the device of announce.
func (one *announcement) isThere() bool { return one.at == one.device }

// state is the word for where the address is.
func (one *announcement) state() string {
	switch one.at {
	case "":
		return "withdrawn"
	case one.last:
		return "last resort"
	default:
		return "announced"
	}
}

// awaitsRoute reports whether the first check of a server waits for a route to the virtual address.
func (x user) awaitsRoute() bool {
	now := time.Now()
	return slices.ContainsFunc(x.v.addresses,
		func(one *announcement) bool { return one.addr == x.v.cfg.CheckVIP && now.Before(one.routeBy) })
}

// took handles the result of an order.
func (a *announcer) took(r places) {
	a.busy, a.looked, a.stale, a.again = false, true, true, time.Time{}
	byAddr := a.byAddr()
	for _, p := range r.all {
		if one := byAddr[p.Addr]; one != nil {
			a.found(one, p)
		} else if p.Trouble != nil { // an address of the previous daemon
			r.err = errors.Join(r.err, fmt.Errorf("%s can't be withdrawn: %w", p.Addr, p.Trouble))
		}
	}
	a.tell.trouble(&a.trouble, r.err, notify.AnnounceFailed, "Addresses can't be announced",
		notify.AnnounceRecovered, "Addresses can be announced again")
	if a.trouble != "" || slices.ContainsFunc(a.list, func(one *announcement) bool { return one.trouble != "" }) {
		a.again = time.Now().Add(announceRetry)
	}
}

// found notes where an address is, and reports a change.
func (a *announcer) found(one *announcement, p announce.Place) {
	was, known := one.at, one.known
	one.at, one.known = p.Device, true
	if p.Local {
		one.routeBy = time.Time{}
	}
	a.tell.trouble(&one.trouble, p.Trouble, notify.AnnounceFailed,
		fmt.Sprintf("%s is not where it should be", one.addr),
		notify.AnnounceRecovered, fmt.Sprintf("%s is where it should be", one.addr))
	if was == one.at {
		return
	}
	why := cmp.Or(one.trouble, one.why)
	one.since = a.tell.now()
	if !known { // the address was on this device at the start
		return
	}
	one.changes++
	if !one.left.IsZero() && was == one.device {
		one.left = one.since
	}
	e := notify.Event{Kind: notify.Announced, Text: fmt.Sprintf("Announced %s on %s", one.addr, one.at),
		Reason: why}
	switch one.state() {
	case "withdrawn":
		e.Kind, e.Text = notify.Withdrawn, fmt.Sprintf("Withdrew %s from %s: %s", one.addr, was, why)
	case "last resort":
		e.Kind, e.Text = notify.LastResort,
			fmt.Sprintf("Announced %s on %s, the last resort: %s", one.addr, one.at, why)
	}
	a.tell.emit(e)
	a.moved(one.virtuals...)
}

func (a *announcer) describe() (list []view.Announcement) {
	for _, one := range a.list {
		now := view.Announcement{
			Address: one.addr.String(), Device: one.device, On: one.at, State: one.state(),
			Since: one.since.UTC(),
			Why:   cmp.Or(one.trouble, one.why), Fails: one.trouble != "", Changes: one.changes,
		}
		for _, v := range one.virtuals {
			now.IDs = append(now.IDs, v.cfg.ID)
		}
		list = append(list, now)
	}
	return list
}

// announced returns the addresses of a virtual service.
type announced []*announcement

// areElsewhere reports whether a virtual service has addresses to announce and none of them is on its device.
func (all announced) areElsewhere() bool {
	return len(all) > 0 && !slices.ContainsFunc(all, (*announcement).isThere)
}

// gather has all servers checked at once when a check shows that the first server is back. It includes all virtual
// services of that server's addresses, because they are announced together.
func (e *examiner) gather(v *virtual, by *judgement) {
	for _, one := range v.addresses {
		for _, other := range one.virtuals {
			if other.Away = other.addresses.areElsewhere(); !other.IsAway() || other.Gathers() {
				continue
			}
			other.Gather(by.Began)
			for x := range checked(other) {
				e.hurry(x.j.check)
			}
		}
	}
}
