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
)

// This file is about what became of addresses: where each one is, since when, and what is told of it.

// announcement is one address.
type announcement struct {
	addr         netip.Addr
	device, last string     // of announce and lastresort
	virtuals     []*virtual // none: it left the file
	gone         bool       // it left the file and is withdrawn
	asked        bool       // checks go through it. Without a route to it none does
	keys         []lvs.Key  // of its virtual services, also while there are none
	owner        string     // the other daemon that has all of them; "": none

	decided bool // its first results are there, or were
	want    announce.Want
	why     string    // it should be elsewhere; "" when it should be announced
	order   string    // the order by which it is withdrawn; "": none
	left    time.Time // since when it is withdrawn by order; zero: it is not
	routeBy time.Time // until then first checks through it wait for its local route; zero: they don't

	known   bool   // where it is
	at      string // the device that it is on; "" for none
	since   time.Time
	changes uint64
	trouble string
}

// places is how an order ended.
type places struct {
	all []announce.Place
	err error
}

// isThere reports whether it is on the device of announce.
func (one *announcement) isThere() bool { return one.at == one.device }

// state is the word for where it is.
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

// awaitsRoute reports whether the first check of a server waits until its packets have a way to the virtual address.
func (x user) awaitsRoute() bool {
	now := time.Now()
	return slices.ContainsFunc(x.v.addresses,
		func(one *announcement) bool { return one.addr == x.v.cfg.CheckVIP && now.Before(one.routeBy) })
}

// took takes how an order ended.
func (a *announcer) took(r places) {
	a.busy, a.looked, a.stale, a.again = false, true, true, time.Time{}
	byAddr := a.byAddr()
	for _, p := range r.all {
		if one := byAddr[p.Addr]; one != nil {
			a.found(one, p)
		} else if p.Trouble != nil { // it is of a daemon before
			r.err = errors.Join(r.err, fmt.Errorf("%s can't be withdrawn: %w", p.Addr, p.Trouble))
		}
	}
	a.tell.trouble(&a.trouble, r.err, notify.AnnounceFailed, "Addresses can't be announced",
		notify.AnnounceRecovered, "Addresses can be announced again")
	if a.trouble != "" || slices.ContainsFunc(a.list, func(one *announcement) bool { return one.trouble != "" }) {
		a.again = time.Now().Add(announceRetry)
	}
}

// found notes where an address is, and tells of it when that is new.
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
	if !known { // it was found there
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

func (a *announcer) describe() (list []AnnouncementSnapshot) {
	for _, one := range a.list {
		now := AnnouncementSnapshot{
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

// announced are the addresses of a virtual service.
type announced []*announcement

// areElsewhere reports whether they are announced, and none is where it belongs.
func (all announced) areElsewhere() bool {
	return len(all) > 0 && !slices.ContainsFunc(all, (*announcement).isThere)
}

// gather has every server asked at once when the first one is back, by a check: those of all virtual services of its
// addresses, which come back together.
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
