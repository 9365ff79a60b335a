package core

import (
	"time"

	"ldirectord/internal/lvs"
	"ldirectord/internal/orders"
)

// Which servers are held depends on the order of the results, so the oracle doesn't compute it. It computes which must
// not be held: those that went out and were not up again, and those put in by hand.

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
