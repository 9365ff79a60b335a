package director

import (
	"time"

	"ldirectord/ipvsctl"
	"ldirectord/lvs"
	"ldirectord/orders"
)

// Who is held depends on the order in which results came, so the oracle does not say who. It says who may not be: who
// went out and was not up again, and who was put in by hand.

// guardQuiet is how long after trouble nobody counts who serves: until changes by hand are seen, and new checks have
// results.
const guardQuiet = 8 * time.Second

// mayBeHeld reports whether a server that is down may come into the table with its weight: it was not taken out before.
func (o *oracle) mayBeHeld(key lvs.Key, s section, e entry) bool {
	return (o.quota(key, s) > 0 || s.out != "") && !o.gone[spot{key, e.addr}]
}

// noteGone notes whom the daemon takes out of service, and puts in.
func (o *oracle) noteGone(op ipvsctl.Op, before, after ipvsctl.Service) {
	at := spot{op.Key, op.Dest.Addr}
	delete(o.putIn, at)
	switch {
	case op.Kind < ipvsctl.AddDest:
	case after.Dests.Weight(op.Dest.Addr) > 0:
		delete(o.gone, at)
	case before.Dests.Weight(op.Dest.Addr) > 0:
		o.gone[at] = true
	}
}

// isByChecks reports whether nothing but checks took a server out, nothing else is under way, and the guard counts.
func (o *oracle) isByChecks(op ipvsctl.Op, s section) bool {
	if len(o.files) > 1 || o.role != inService || o.refusal != nothing || time.Since(o.troubled) < guardQuiet {
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
