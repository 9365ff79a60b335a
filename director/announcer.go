package director

import (
	"cmp"
	"context"
	"net/netip"
	"reflect"
	"slices"
	"time"

	"ldirectord/announce"
	"ldirectord/lvs"
)

const (
	announceTimeout = 5 * time.Second // for one order, and at a stop for an address that can't be withdrawn
	announceRetry   = time.Second     // after trouble
)

// Announcer puts addresses on devices and removes them, see package announce.
type Announcer interface {
	Sync(ctx context.Context, want []announce.Want) ([]announce.Place, error)
	Changes(ctx context.Context) <-chan struct{}
}

// announcer decides which addresses are announced. A goroutine of its own puts them on their devices.
type announcer struct {
	aside[[]announce.Want, places]
	*services
	kernel Announcer // nil: the announcer only notes where the addresses should be
	marks  *marker
	moved  func(...*virtual) // called when an address of these virtual services has moved

	changes <-chan struct{}
	list    []*announcement // in the order of the file
	stale   bool            // the places have to be decided again
	look    time.Time       // when time alone may change the decision; zero: never
	again   time.Time       // when the order is repeated after a failure; zero: no failure
	atEnd   bool            // all addresses are withdrawn except those that cleanstop = no leaves
	gone    chan struct{}   // closed when all addresses are withdrawn; nil: nothing waits for that
	looked  bool            // an order was carried out, so nothing of the previous daemon is left
}

// enlist adopts the virtual services of a plan and gives each its addresses. An address that the plan no longer
// has is withdrawn; its virtual services continue to serve until then. First checks through an address wait for its
// local route: without a route they would not go through the address.
func (a *announcer) enlist(virtuals []*virtual, now time.Time) {
	a.stale = true
	byAddr := a.byAddr()
	for _, one := range a.list {
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
				one.asked, a.due = true, true
				one.routeBy = cmp.Or(one.routeBy, now.Add(announceTimeout))
			}
		}
	}
}

func (a *announcer) byAddr() map[netip.Addr]*announcement {
	all := make(map[netip.Addr]*announcement, len(a.list))
	for _, one := range a.list {
		all[one.addr] = one
	}
	return all
}

// byKey returns the announced addresses by virtual service.
func (a *announcer) byKey() map[lvs.Key][]*announcement {
	all := map[lvs.Key][]*announcement{}
	for _, one := range a.list {
		for _, key := range one.keys {
			all[key] = append(all[key], one)
		}
	}
	return all
}

// follow subscribes to changes of devices and addresses, once the plan has addresses.
func (a *announcer) follow(ctx context.Context) {
	if len(a.list) > 0 && a.changes == nil && a.kernel != nil {
		a.changes = a.kernel.Changes(ctx)
	}
}

// recheck has the addresses examined again, if there are any.
func (a *announcer) recheck() { a.due = a.due || len(a.list) > 0 || a.trouble != "" }

// lookAt sets a time at which to decide again.
func (a *announcer) lookAt(when time.Time) {
	if a.look.IsZero() || when.Before(a.look) {
		a.look = when
	}
}

// decide decides where each address belongs, and orders what changed since the last order.
func (a *announcer) decide(now time.Time) {
	if until(a.again) <= 0 {
		a.due, a.again = true, time.Time{}
	}
	a.stale, a.look = false, a.again
	a.list = slices.DeleteFunc(a.list, func(one *announcement) bool {
		one.gone = len(one.virtuals) == 0 && a.idle() && a.isGone(one, now)
		return one.gone
	})
	var all []announce.Want
	for _, one := range a.list {
		a.place(one, now)
		want := one.want
		if want.Undecided {
			want.Device, want.Local = "", want.Local && one.asked
		}
		// otherwise the address is left to other directors
		if one.owner == "" || !one.known || one.at != "" || want.Local {
			all = append(all, want)
		}
	}
	if !reflect.DeepEqual(all, a.want) {
		a.due, a.want = true, all
	}
	if a.gone != nil && a.idle() && a.isWithdrawn(now) {
		close(a.gone)
		a.gone = nil
	}
}

// place is where an address should be now. An address that an order withdraws moves to the last resort, if it has one,
// and after withdrawwait to no device. Its packets are served while its virtual services serve.
func (a *announcer) place(one *announcement, now time.Time) {
	device, why, serves := a.belongs(one)
	want := announce.Want{Addr: one.addr, Device: device, Local: serves, Undecided: !one.decided || !one.known,
		Repair: a.global.Repair}
	if len(one.virtuals) == 0 {
		want.Local = one.want.Local
	}
	if one.order = a.withdrawal(one); one.order == "" {
		one.left = time.Time{}
		want.Local = want.Local || one.asked
	} else {
		want.Device, want.Undecided, why = "", !one.known, one.order
		if one.left.IsZero() && one.at != "" {
			one.left = now
		}
		if until := one.left.Add(a.withdrawWait()); now.Before(until) {
			a.lookAt(until)
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
	if now.Before(one.routeBy) && want.Local && a.trouble == "" && one.trouble == "" {
		a.lookAt(one.routeBy)
	} else {
		one.routeBy = time.Time{}
	}
	one.want, one.why = want, why
}

// belongs returns the device where an address belongs, given its virtual services, and why that is not the device of
// announce. Serves reports whether one of its virtual services has a server in service.
func (a *announcer) belongs(one *announcement) (device, why string, serves bool) {
	stays, healthy, awaited, decided, gathers := false, true, false, false, false
	one.owner = ""
	for k, v := range one.virtuals {
		gathers = gathers || v.Gathers()
		if k == 0 || v.owner == "" { // the owner of the first virtual service, unless this director has one
			one.owner = v.owner
		}
		if v.owner != "" {
			continue
		}
		marked, known := a.marks.serves(v.cfg, one)
		in := marked && v.Strength.Serves && v.placed
		serves = serves || in
		if !known || !v.Strength.Known {
			awaited = true
			continue
		}
		decided = true
		weakness := v.weakness()
		if v.placed && !marked {
			weakness = "the mark rules of " + v.label() + " are not set"
		}
		healthy = healthy && weakness == ""
		why = cmp.Or(why, weakness)
		stays = stays || in && (v.Strength.Enough || v.Strength.Holds || v.FallbackIn)
	}
	if one.at != one.device && gathers {
		return one.at, "waits for results of the servers that are back", serves
	}
	switch { // a virtual service that a reload added counts once its first results are there
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

// put orders the addresses to their devices. With a table in memory the places are only noted.
func (a *announcer) put(ctx context.Context, want []announce.Want) (r places) {
	if a.kernel == nil {
		for _, w := range want {
			r.all = append(r.all, announce.Place{Addr: w.Addr, Device: w.Device, Local: w.Local})
		}
		return r
	}
	ctx, cancel := context.WithTimeout(ctx, announceTimeout)
	defer cancel()
	all, err := a.kernel.Sync(ctx, want)
	return places{all, err}
}
