package core

import (
	"cmp"
	"maps"
	"net/netip"
	"reflect"
	"slices"
	"time"

	"ldirectord/internal/announce"
	"ldirectord/internal/judge"
	"ldirectord/internal/lvs"
)

const (
	announceTimeout = judge.Moving // for one order, and at a stop for an address that can't be withdrawn
	announceRetry   = time.Second  // after trouble
)

// announcer asks judge where each address belongs, and orders the changes.
type announcer struct {
	background[[]lvs.Wanted]
	*services
	marks   *marker
	machine *machine

	list      []*announcement // in the order of the file
	known     []judge.Host    // see hosts
	stale     bool            // the places have to be decided again
	look      time.Time       // when time alone may change the decision; zero: never
	again     time.Time       // when the order is repeated after a failure; zero: no failure
	atEnd     bool            // all addresses are withdrawn, except those that cleanstop = no leaves
	withdraws bool            // a demotion waits until all addresses are withdrawn
	looked    bool            // it is known where the previous daemon's addresses are, or lookBy has passed
	lookBy    time.Time       // when failing orders stop delaying removals; zero before the first
	before    announce.Record // the addresses of the previous daemon, until the first plan is there
	leavers   []*announcement // of these, the ones that the first plan lacks, see holds
}

// enlist adopts the virtual services of a plan and assigns their addresses to them. An address that is no longer in the
// plan is withdrawn; its virtual services continue to serve until this is done. The first checks through an address
// wait for its local route, because without that route they would take another path.
func (a *announcer) enlist(virtuals []*virtual, now time.Time) {
	a.stale = true
	byAddr := a.byAddr()
	for _, one := range a.list {
		one.virtuals, one.Asked = nil, false
	}
	for _, v := range virtuals {
		v.addresses = nil
		for _, addr := range v.Config.Announced() {
			one := byAddr[addr]
			if one == nil {
				one = &announcement{Address: judge.Address{Want: lvs.Wanted{Addr: addr}}, since: now}
				byAddr[addr] = one
				a.list = append(a.list, one)
			}
			if len(one.virtuals) == 0 {
				one.keys = nil
			}
			one.Device, one.Last = v.Config.Announce, v.Config.LastResort
			one.virtuals, one.keys = append(one.virtuals, v), append(one.keys, v.Key())
			v.addresses = append(v.addresses, one)
			if v.Config.CheckVIP == addr {
				one.Asked, a.due = true, true
				one.RouteBy = cmp.Or(one.RouteBy, now.Add(announceTimeout))
			}
		}
	}
	a.withdrawFormer(byAddr, now)
}

// withdrawFormer enlists the addresses that the previous daemon announced and the first plan lacks, as if they left the
// file now. The record says only where they may be: the first order looks. Which virtual services they had is unknown,
// see holds.
func (a *announcer) withdrawFormer(planned map[netip.Addr]*announcement, now time.Time) {
	for _, addr := range slices.SortedFunc(maps.Keys(a.before), netip.Addr.Compare) {
		if devices := a.before[addr]; planned[addr] == nil && len(devices) > 0 { // it was not only claimed
			one := &announcement{since: now, Address: judge.Address{Device: slices.Max(devices), Left: now,
				Want: lvs.Wanted{Addr: addr, Local: true}}}
			a.list, a.leavers = append(a.list, one), append(a.leavers, one)
		}
	}
	a.before = nil
}

// reconsider makes the next step decide again where each address belongs.
func (a *announcer) reconsider() { a.stale = true }

// end notes that the director is stopping. From then on, all addresses are withdrawn, except those whose virtual
// services all stay in the table because of cleanstop = no.
func (a *announcer) end() { a.atEnd = true }

func (a *announcer) byAddr() map[netip.Addr]*announcement {
	all := make(map[netip.Addr]*announcement, len(a.list))
	for _, one := range a.list {
		all[one.Want.Addr] = one
	}
	return all
}

// byKey returns the announced addresses of each virtual service.
func (a *announcer) byKey() map[lvs.Key][]*announcement {
	all := map[lvs.Key][]*announcement{}
	for _, one := range a.list {
		for _, key := range one.keys {
			all[key] = append(all[key], one)
		}
	}
	return all
}

// recheck orders another look at the addresses, if there are any, or if the last order failed.
func (a *announcer) recheck() { a.due = a.due || len(a.list) > 0 || a.trouble != "" }

// decide decides where each address belongs. If a place has changed since the last order, decide gives a new order.
func (a *announcer) decide(now time.Time) {
	if isDue(a.again, now) {
		a.due, a.again = true, time.Time{}
	}
	a.stale, a.look = false, a.again
	together := a.together()
	a.list = slices.DeleteFunc(a.list, func(one *announcement) bool {
		one.gone = len(one.virtuals) == 0 && a.idle() && one.IsGone(together, now)
		return one.gone
	})
	var all []lvs.Wanted
	for _, one := range a.list {
		a.look = earliest(a.look, one.Place(a.hosts(one), a.command(one), together, now))
		if one.IsOrdered() {
			all = append(all, one.Ordered())
		}
	}
	if !reflect.DeepEqual(all, a.want) {
		a.due, a.want = true, all
	}
	if a.idle() && a.isWithdrawn(now) {
		a.withdraws = false
	}
}

// hosts returns the virtual services of an address. The result is valid until the next call.
func (a *announcer) hosts(one *announcement) []judge.Host {
	a.known = a.known[:0]
	marks := a.marks.now()
	for _, v := range one.virtuals {
		h := judge.Host{Case: &v.Case, Label: v.label(), Placed: v.placed, Refused: v.retry.Refusal,
			Servers: v.size()}
		h.Marked, h.Known = marks.Serve(v.Marks, &one.Address)
		a.known = append(a.known, h)
	}
	return a.known
}

// command describes the operator's order that withdraws an address, or returns "" if there is none.
func (a *announcer) command(one *announcement) string {
	if o := a.hold.Held.Withdrawal(one.Want.Addr); o.Kind != "" {
		return cmp.Or(o.Remark("order: "), "by order")
	}
	return ""
}
