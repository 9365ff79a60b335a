package core

import (
	"net/netip"
	"slices"
	"time"

	"ldirectord/internal/health"
	"ldirectord/internal/lvs"
	"ldirectord/internal/orders"
)

// This file is what the oracle knows of servers that may be held.

// First, by checkvip and its brake. If all up servers fail only through the virtual address, the final state depends on
// which were up, so the oracle doesn't compute it. It computes which servers may be held: none, if a check passes on
// that path. It also computes which must be held: a server must not go out for such failures while another is certainly
// up, and no check has passed since.

// anyAlike reports whether holds is true for a check of the section through the virtual address by the same line as p.
func (o *oracle) anyAlike(s section, p probe, holds func(probe) bool) bool {
	for _, e := range s.Servers {
		for _, q := range s.probes(e) {
			if q.through.IsValid() && q.check == p.check && q.addr.Port() == p.addr.Port() && holds(q) {
				return true
			}
		}
	}
	return false
}

// isBraked reports whether a server that fails only through the virtual address is in the table as if it were up, and
// may be. While the checks are obeyed by order, it may not.
func (o *oracle) isBraked(key lvs.Key, s section, e entry, have lvs.Dest) bool {
	only := false
	if o.mayObey(key) {
		return false
	}
	passesThrough := func(q probe) bool { return o.conditions[q.addr] != voided && o.passes(q) }
	for _, p := range s.probes(e) {
		switch {
		case o.passes(p):
		case !o.failsOnlyThrough(p) || o.anyAlike(s, p, passesThrough):
			return false
		default:
			only = true
		}
	}
	in := have.Addr == e.addr
	return only && in && (have.Weight > 0 || o.orderFor(key, e, 0).Kind == orders.Drain ||
		o.weightOf(key, e, 0) == 0)
}

// mustBrake reports whether a server that is taken out failed only through the virtual address, another one was
// certainly up until it failed in the same way, and no check has passed on that path since.
func (o *oracle) mustBrake(key lvs.Key, s section, addr netip.AddrPort) bool {
	e, in := s.entry(addr)
	if says, sure := o.words(s, e); !sure || says != (health.Words{}) {
		return false
	}
	if !in || o.role != inService || o.isMaintained(key, e) || o.orderFor(key, e, 0) != (orders.Order{}) ||
		o.disturbedLately(addr) || o.mayObey(key) {
		return false
	}
	failed := false
	for _, p := range s.probes(e) {
		last := o.lastOf(p)
		if last.ok && o.verdictOf(p, s, false, 0) == up {
			continue
		}
		if !last.only || o.found[spot{key, addr}] != nil || o.changed[spot{key, addr}] ||
			!o.wasUp(p, s) {
			return false
		}
		passed := o.passedAlike(s, p)
		other := o.anyAlike(s, p, func(q probe) bool {
			f, _ := s.entry(netip.AddrPortFrom(q.addr.Addr(), 80))
			at := spot{key, f.addr}
			return q != p && o.lastOf(q).only && o.since(o.lastOf(q).at) > o.grace() &&
				o.wasUp(q, s) && !o.isMaintained(key, f) && !o.changed[at] &&
				!o.disturbedLately(f.addr) &&
				len(s.probes(f)) == 1 && !passed.After(o.onlySince(q))
		})
		if !other || passed.After(o.onlySince(p).Add(-time.Second)) {
			return false
		}
		failed = true
	}
	return failed
}

// wasUp reports whether a check, which now fails only through the virtual address, has passed until then. If one passed
// on that path, earlier such failures have counted.
func (o *oracle) wasUp(p probe, s section) bool {
	before := o.countsAs(p, s, false, o.since(o.onlySince(p)), true)
	return before == up && o.countsAs(p, s, false, 0, false) == up
}

func (o *oracle) lastOf(p probe) (last outcome) {
	if history := o.results[p]; history != nil && len(*history) > 0 {
		last = (*history)[len(*history)-1]
	}
	return last
}

// onlySince is the start of the first check in the latest series that failed only through the virtual address.
func (o *oracle) onlySince(p probe) (began time.Time) {
	for _, r := range slices.Backward(*o.results[p]) {
		if !r.only {
			break
		}
		began = r.began
	}
	return began
}

// passedAlike is the start of the last check that passed through the virtual address by the same line as p. Earlier
// failures count, so their servers may be down.
func (o *oracle) passedAlike(s section, p probe) (began time.Time) {
	o.anyAlike(s, p, func(q probe) bool {
		if history := o.results[q]; history != nil {
			for _, r := range *history {
				if r.ok && r.began.After(began) {
					began = r.began
				}
			}
		}
		return false
	})
	return began
}

// Second, by the guard. Which servers it holds depends on the order of the results, so the oracle doesn't compute it.
// It computes which must not be held: those that went out and were not up again, and those put in by hand.

// guardQuiet is how long after trouble the servers in service are not counted. By then changes by hand are seen, and
// new checks have results.
const guardQuiet = 8 * time.Second

// mayBeHeld reports whether a server that is down may be in the table with its weight: it was not taken out before.
func (o *oracle) mayBeHeld(key lvs.Key, s section, e entry) bool {
	return (o.quota(key, s) > 0 || s.PaceOut != "") && !o.gone[spot{key, e.addr}]
}

// noteGone records which server the daemon takes out of service, or puts in.
func (o *oracle) noteGone(op lvs.Op, before, after lvs.VirtualService) {
	at := spot{op.Key, op.Dest.Addr}
	delete(o.putIn, at)
	switch {
	case op.Kind < lvs.AddDest:
	case after.Dests.Weight(op.Dest.Addr) > 0:
		delete(o.gone, at)
	case before.Dests.Weight(op.Dest.Addr) > 0:
		o.gone[at] = true
	}
}

// isByChecks reports whether only checks can have taken a server out: nothing else is under way, and the guard counts.
func (o *oracle) isByChecks(op lvs.Op, s section) bool {
	if len(o.files) > 1 || o.role != inService || o.refusal != nothing || o.since(o.troubled) < guardQuiet {
		return false
	}
	for at := range o.byHand {
		if at.key == op.Key {
			return false
		}
	}
	e, in := s.entry(op.Dest.Addr)
	return in && o.weightOf(op.Key, e, 0) > 0 && o.verdict(op.Key, s, e, 0) == down && !o.isMaintained(op.Key, e) &&
		o.orderFor(op.Key, e, 0) == (orders.Order{})
}
