package director

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"reflect"
	"slices"
	"time"

	"ldirectord/announce"
	"ldirectord/lvs"
	"ldirectord/notify"
)

// This file decides which addresses are announced, and has them put on their devices beside the director.

const (
	announceTimeout = 5 * time.Second // for one order; and, at the end, for an address that can't be withdrawn
	announceRetry   = time.Second     // after trouble
	// the order to stand by is answered within 5, and the next one, perhaps to serve, waits for it
	maxDemotionWait = 4 * time.Second
)

// EveryAddress is what an order to withdraw has in place of one address.
const EveryAddress = "*"

// Announcer keeps addresses on devices, see package announce.
type Announcer interface {
	Sync(ctx context.Context, want []announce.Want) ([]announce.Place, error)
	Changes(ctx context.Context) <-chan struct{}
}

// announcements are the addresses that are announced, or were.
type announcements struct {
	aside[[]announce.Want, places]
	changes <-chan struct{}
	list    []*announcement // in the order of the file
	stale   bool            // it is to be decided anew
	look    time.Time       // when it is, because time has passed; zero: never
	again   time.Time       // when it is ordered again, after trouble; zero: there was none
	atEnd   bool            // all are withdrawn, but for those that cleanstop = no leaves
	gone    chan struct{}   // closed when all are withdrawn; nil: nobody waits
	looked  bool            // an order was carried out
}

// places is how an order ended.
type places struct {
	all []announce.Place
	err error
}

// announcement is one address.
type announcement struct {
	addr         netip.Addr
	device, last string     // of announce and lastresort
	virtuals     []*virtual // none: it left the file …
	gone         bool       // … and is withdrawn
	asked        bool       // checks go through it. Without a route to it none does
	keys         []lvs.Key  // of its virtual services, also while there are none

	decided bool // its first results are there, or were
	want    announce.Want
	why     string    // it should be elsewhere; "" when it should be announced
	left    time.Time // since when it is withdrawn by order; zero: it is not
	routeBy time.Time // until then first checks through it wait for its local route; zero: they don't

	known   bool   // where it is
	at      string // the device that it is on; "" for none
	since   time.Time
	changes uint64
	trouble string
}

// onPaper is where addresses are beside a table that is not the kernel's: where they should be.
func onPaper(want []announce.Want) (r places) {
	for _, w := range want {
		r.all = append(r.all, announce.Place{Addr: w.Addr, Device: w.Device, Local: w.Local})
	}
	return r
}

// belongs is the device where an address belongs, by what its virtual services can do, and why that is not the device
// of announce. Serves reports whether one of them has somebody to serve.
func (d *Director) belongs(one *announcement) (device, why string, serves bool) {
	stays, healthy, awaited, decided := false, true, false, false
	for _, v := range one.virtuals {
		if !v.isOurs() {
			continue
		}
		n := &v.strength
		marked, known := d.marker.serves(v.cfg, one)
		in := marked && v.placed && n.serves
		serves = serves || in
		if !known || !n.known {
			awaited = true
			continue
		}
		decided = true
		weakness := v.weakness(marked)
		healthy = healthy && weakness == ""
		why = cmp.Or(why, weakness)
		stays = stays || in && (n.Enough || n.holds || v.fallbackIn)
	}
	if one.at != one.device && slices.ContainsFunc(one.virtuals, (*virtual).gathers) {
		return one.at, "waits for the servers that are back", serves
	}
	switch { // what a reload brought to an address counts when its first results are there
	case awaited && !one.decided, !decided:
		return "", "waits for the first results", serves
	case healthy, one.last == "" && stays:
		device = one.device
	case serves:
		device = one.last
	}
	one.decided = true
	return device, why, serves
}

// enlist takes over which addresses the virtual services have now. One that is not among them any more is withdrawn,
// and its virtual services serve on until then. First checks through one wait until it is known how its local route
// came about: without a route they would pass at the servers' own addresses.
func (a *announcements) enlist(virtuals []*virtual, now time.Time) {
	byAddr := map[netip.Addr]*announcement{}
	for _, one := range a.list {
		byAddr[one.addr] = one
		one.virtuals, one.asked = nil, false
	}
	for _, v := range virtuals {
		v.addresses = nil
		for _, addr := range v.cfg.Announced() {
			one := byAddr[addr]
			if one == nil {
				one = &announcement{addr: addr, since: now}
				byAddr[addr] = one
				a.list = append(a.list, one)
			}
			if len(one.virtuals) == 0 {
				one.keys = nil
			}
			one.device, one.last = v.cfg.Announce, v.cfg.LastResort
			one.virtuals, one.keys = append(one.virtuals, v), append(one.keys, v.key)
			v.addresses = append(v.addresses, one)
			if v.cfg.CheckVIP == addr {
				one.asked, one.routeBy, a.due = true, cmp.Or(one.routeBy, now.Add(announceTimeout)),
					true
			}
		}
	}
	a.stale = true
}

// byKey are the addresses that were announced, by their virtual services.
func (a *announcements) byKey() map[lvs.Key][]*announcement {
	all := map[lvs.Key][]*announcement{}
	for _, one := range a.list {
		for _, key := range one.keys {
			all[key] = append(all[key], one)
		}
	}
	return all
}

// announce decides where the addresses belong, after something changed.
func (d *Director) announce() {
	a, now := &d.addresses, time.Now()
	for _, v := range d.virtuals {
		if !v.weighed && (v.cfg.Announce != "" || v.cfg.MinServers.Low.N > 0) {
			v.weigh()
			v.weighed, a.stale = true, true
		}
	}
	if len(a.list) > 0 && a.changes == nil && d.deps.Announcer != nil {
		a.changes = d.deps.Announcer.Changes(d.life)
	}
	if !a.stale && (a.look.IsZero() || now.Before(a.look)) {
		return
	}
	if !a.again.IsZero() && !now.Before(a.again) {
		a.due, a.again = true, time.Time{}
	}
	d.decideAll(now)
	if d.held {
		d.runChecks(d.tasks)
	}
	if a.gone != nil && a.idle() && d.isWithdrawn(now) {
		close(a.gone)
		a.gone = nil
	}
}

// decideAll decides where each address belongs, and orders what differs from the last order.
func (d *Director) decideAll(now time.Time) {
	a, all := &d.addresses, []announce.Want(nil)
	a.stale, a.look = false, a.again
	a.list = slices.DeleteFunc(a.list, func(one *announcement) bool {
		one.gone = len(one.virtuals) == 0 && a.idle() && d.isGone(one, now)
		return one.gone
	})
	for _, one := range a.list {
		d.place(one, now)
		want := one.want
		if want.Undecided {
			want.Device, want.Local = "", want.Local && one.asked
		}
		left := len(one.virtuals) > 0 && !slices.ContainsFunc(one.virtuals, (*virtual).isOurs)
		if !left || !one.known || one.at != "" || want.Local { // else it is for others
			all = append(all, want)
		}
	}
	if !reflect.DeepEqual(all, a.want) {
		a.due, a.want = true, all
	}
}

// recheck has the addresses looked at again, if there are any.
func (a *announcements) recheck() { a.due = a.due || len(a.list) > 0 || a.trouble != "" }

func (a *announcements) lookAt(when time.Time) {
	if a.look.IsZero() || when.Before(a.look) {
		a.look = when
	}
}

// place is where an address should be now. One that is withdrawn by order goes to the last resort, if it has one, and
// after withdrawwait to no device; its packets are served as long as its virtual services serve.
func (d *Director) place(one *announcement, now time.Time) {
	device, why, serves := d.belongs(one)
	want := announce.Want{Addr: one.addr, Device: device, Local: serves, Undecided: !one.decided || !one.known,
		Repair: d.global.Repair}
	if len(one.virtuals) == 0 {
		want.Local = one.want.Local
	}
	if order := d.withdrawal(one); order == "" {
		one.left = time.Time{}
		want.Local = want.Local || one.asked
	} else {
		want.Device, want.Undecided, why = "", !one.known, order
		if one.left.IsZero() && one.at != "" {
			one.left = now
		}
		if until := one.left.Add(d.withdrawWait()); now.Before(until) {
			d.addresses.lookAt(until)
			if one.at != "" && want.Local {
				want.Device = one.last
			}
		}
	}
	for _, device := range []string{one.device, one.last, one.at} {
		if device != "" && !slices.Contains(want.Devices, device) {
			want.Devices = append(want.Devices, device)
		}
	}
	if now.Before(one.routeBy) && want.Local && d.addresses.trouble == "" && one.trouble == "" {
		d.addresses.lookAt(one.routeBy)
	} else {
		one.routeBy = time.Time{}
	}
	one.want, one.why = want, why
}

// awaitsRoute reports whether the first check of a server waits until its packets have a way to the virtual address.
func (x user) awaitsRoute() bool {
	now := time.Now()
	return slices.ContainsFunc(x.v.addresses,
		func(one *announcement) bool { return one.addr == x.v.cfg.CheckVIP && now.Before(one.routeBy) })
}

// withdrawal is the order by which an address is on no device, "" for none.
func (d *Director) withdrawal(one *announcement) string {
	atEnd, cleans := d.addresses.atEnd,
		slices.ContainsFunc(one.virtuals, func(v *virtual) bool { return v.cfg.CleanStop })
	switch {
	case len(one.virtuals) == 0:
		return "it left the file"
	case atEnd && cleans:
		return "the director stops"
	case d.standby, d.demotion != nil && !atEnd:
		return "the director stands by"
	case !slices.ContainsFunc(one.virtuals, (*virtual).isOurs):
		return "belongs to " + one.virtuals[0].owner
	}
	if o := d.ordered.Withdrawal(one.addr); o.Kind != "" {
		return cmp.Or(o.remark("order: "), "by order")
	}
	return ""
}

// isGone reports whether an address that is withdrawn by order is on no device, and was served on long enough.
func (d *Director) isGone(one *announcement, now time.Time) bool {
	return one.known && one.at == "" && !now.Before(one.left.Add(d.withdrawWait()))
}

// withdrawWait is how long what is withdrawn is served on. Who orders a demotion waits for it, and not longer than a
// moment.
func (d *Director) withdrawWait() time.Duration {
	wait := d.global.WithdrawWait.Duration()
	if d.standby || d.demotion != nil {
		wait = min(wait, maxDemotionWait)
	}
	return wait
}

// isWithdrawn reports whether all are gone that are withdrawn by order.
func (d *Director) isWithdrawn(now time.Time) bool {
	return !slices.ContainsFunc(d.addresses.list, func(one *announcement) bool {
		return d.withdrawal(one) != "" && !d.isGone(one, now)
	})
}

// announces reports whether a virtual service that is to leave the table may still be announced.
func (d *Director) announces(v *virtual) bool {
	return d.deps.Withdraw && !d.addresses.looked || slices.ContainsFunc(v.addresses, d.lingers)
}

// lingers reports whether an address that no virtual service has any more is served on.
func (d *Director) lingers(one *announcement) bool {
	now, wait := time.Now(), d.withdrawWait()+announceTimeout
	switch {
	case one.gone, len(one.virtuals) > 0 && !d.standby:
		return false
	case !one.left.IsZero() && now.After(one.left.Add(wait)): // it can't be withdrawn
		return false
	}
	return d.addresses.busy || one.want.Device != "" || !d.isGone(one, now)
}

// withdrawn is closed when all are withdrawn that are withdrawn by order; it is nil when there are no addresses.
func (a *announcements) withdrawn() <-chan struct{} {
	a.gone, a.stale = nil, true
	if len(a.list) > 0 {
		a.gone = make(chan struct{})
	}
	return a.gone
}

// withdrawAtEnd withdraws the addresses whose virtual services are about to be removed, and waits for that.
func (d *Director) withdrawAtEnd(ctx context.Context) {
	a := &d.addresses
	a.atEnd = true
	if len(a.list) == 0 || !a.isOver(ctx) {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, d.withdrawWait()+announceTimeout)
	defer cancel()
	for ctx.Err() == nil {
		d.announceNow(ctx)
		if d.isWithdrawn(time.Now()) {
			return
		}
		d.alive()
		pause, end := context.WithTimeout(ctx, max(min(time.Until(a.look), announceRetry), 10*time.Millisecond))
		<-pause.Done()
		end()
	}
}

// announceNow does at once what is to be done, at the end.
func (d *Director) announceNow(ctx context.Context) {
	a := &d.addresses
	if len(a.list) == 0 {
		return
	}
	a.due = false
	d.decideAll(time.Now())
	d.placed(d.putAddresses(ctx, a.want))
	d.decideAll(time.Now()) // what follows from that
}

func (d *Director) putAddresses(ctx context.Context, want []announce.Want) places {
	if d.deps.Announcer == nil {
		return onPaper(want)
	}
	ctx, cancel := context.WithTimeout(ctx, announceTimeout)
	defer cancel()
	all, err := d.deps.Announcer.Sync(ctx, want)
	return places{all, err}
}

// placed notes how an order ended.
func (d *Director) placed(r places) {
	a := &d.addresses
	a.busy, a.looked, a.stale, a.again = false, true, true, time.Time{}
	byAddr := make(map[netip.Addr]*announcement, len(a.list))
	for _, one := range a.list {
		byAddr[one.addr] = one
	}
	for _, p := range r.all {
		if one := byAddr[p.Addr]; one != nil {
			d.placedAt(one, p)
		} else if p.Trouble != nil { // it is of a daemon before
			r.err = errors.Join(r.err, fmt.Errorf("%s can't be withdrawn: %w", p.Addr, p.Trouble))
		}
	}
	d.teller.trouble(&a.trouble, r.err, notify.AnnounceFailed, "Addresses can't be announced",
		notify.AnnounceRecovered, "Addresses can be announced again")
	if a.trouble != "" || slices.ContainsFunc(a.list, func(one *announcement) bool { return one.trouble != "" }) {
		a.again = time.Now().Add(announceRetry)
	}
}

// placedAt notes where an address is, and tells of it when that is new.
func (d *Director) placedAt(one *announcement, p announce.Place) {
	was, known := one.at, one.known
	one.at, one.known = p.Device, true
	if p.Local {
		one.routeBy = time.Time{}
	}
	d.teller.trouble(&one.trouble, p.Trouble, notify.AnnounceFailed,
		fmt.Sprintf("%s is not where it should be", one.addr),
		notify.AnnounceRecovered, fmt.Sprintf("%s is where it should be", one.addr))
	if was == one.at {
		return
	}
	why := cmp.Or(one.trouble, one.why)
	one.since = d.teller.now()
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
	d.teller.emit(e)
	d.tellState(one.virtuals...)
}

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

func (a *announcements) describe() (list []AnnouncementSnapshot) {
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
