package director

import (
	"strconv"
	"strings"
	"time"

	"ldirectord/ipvsctl"
	"ldirectord/lvs"
)

// guardOracle is what the oracle knows of keepserving. Who is held depends on the order in which results came, so it
// does not say who. It says who may not be: who went out and was not up again; more than the quota; anybody who obeys.
type guardOracle struct {
	held           map[spot]bool // found at rest: in service, though it fails
	heldAndDrained map[spot]bool
	gone           map[spot]bool // the daemon took it out of service, and it did not pass since
	rechecked      map[spot]bool // a reload gave it other checks: whoever was held stays so until they have results
	obeyed         Orders        // of which no end was seen
	putIn          map[spot]bool // by hand, with a weight, while it had none: nobody who fails is held by that
	troubled       time.Time     // something but a check changed what serves
}

func newGuardOracle() guardOracle {
	return guardOracle{held: map[spot]bool{}, heldAndDrained: map[spot]bool{}, gone: map[spot]bool{}, obeyed: Orders{}, putIn: map[spot]bool{}, rechecked: map[spot]bool{}}
}

// guardQuiet is how long after trouble nobody counts who serves: until changes by hand are seen, and new checks have results.
const guardQuiet = 8 * time.Second

// quota is how many servers checks must leave in service.
func (o *oracle) quota(key lvs.Key, s section) (rounded int) {
	n := 0
	for _, e := range s.servers {
		if o.weightOf(key, e, 0) > 0 {
			n++
		}
	}
	digits, percent := strings.CutSuffix(s.keep, "%")
	quota, _ := strconv.Atoi(digits)
	if percent {
		for percent := quota * n; percent > 0; percent -= 100 { // rounded up
			rounded++
		}
		return rounded
	}
	return quota
}

// obey replaces the orders to obey.
func (o *oracle) obey(all Orders) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.obeyed = all
}

// mayObey reports whether the checks of a virtual service may have their way by order.
func (o *oracle) mayObey(key lvs.Key) bool {
	_, may := o.obeyed[Backend{Virtual: "tcp:" + key.Addr.String()}]
	return may
}

// findHeld takes the servers for held that fail, are in the table as if they were up, and may be.
func (o *oracle) findHeld(have ipvsctl.Table, now *Snapshot) {
	clear(o.held)
	clear(o.heldAndDrained)
	for i := range now.Virtuals {
		if v := &now.Virtuals[i]; !v.Guard.Obeys {
			delete(o.obeyed, Backend{Virtual: v.ID})
		}
	}
	for addr, s := range o.files[0] {
		key := keyFor(addr)
		quota := o.quota(key, s)
		if quota == 0 || o.mayObey(key) || s.check == "off" {
			continue
		}
		var held []spot
		serving := 0
		for _, e := range s.places() {
			at := spot{key, e.addr}
			d, in := have[key].Dests[e.addr]
			passes, drained := o.passesAll(s, e) || o.isBraked(key, s, e, d), o.orderFor(key, e, 0).Kind == Drain
			if passes && !e.elsewhere {
				delete(o.putIn, at)
			}
			switch {
			case !in || o.isMaintained(key, e) || o.putIn[at] || !passes && o.weightOf(key, e, 0) == 0:
			case !passes && drained && d.Weight == 0:
				o.heldAndDrained[at] = true
			case d.Weight == 0 || drained:
			case !passes:
				held = append(held, at)
				fallthrough
			default:
				serving++
			}
		}
		if serving > quota && !o.isTouchedByHand(key) {
			continue // then nobody may be
		}
		for _, at := range held {
			o.held[at] = true
		}
	}
}

func (o *oracle) isTouchedByHand(key lvs.Key) bool {
	for at := range o.byHand {
		if at.key == key {
			return true
		}
	}
	return false
}

// mayBeHeld reports whether a server that is down may come into the table with its weight: it was not taken out before.
func (o *oracle) mayBeHeld(key lvs.Key, s section, e entry) bool {
	return o.quota(key, s) > 0 && !o.gone[spot{key, e.addr}]
}

// noteGone notes whom the daemon takes out of service, and puts in.
func (o *oracle) noteGone(op ipvsctl.Op, before, after ipvsctl.Service) {
	at := spot{op.Key, op.Dest.Addr}
	delete(o.putIn, at)
	switch {
	case op.Kind < ipvsctl.AddDest:
	case after.Dests[op.Dest.Addr].Weight > 0:
		delete(o.gone, at)
	case before.Dests[op.Dest.Addr].Weight > 0:
		o.gone[at] = true
	}
}

// isTooFew reports whether a server was taken out because it is down, and fewer serve now than keepserving says.
func (o *oracle) isTooFew(op ipvsctl.Op, sections []section, after ipvsctl.Service) bool {
	if len(sections) > 1 || o.role != inService || o.refusal != nothing || time.Since(o.troubled) < guardQuiet || o.isTouchedByHand(op.Key) {
		return false
	}
	s := sections[0]
	e, in := s.entry(op.Dest.Addr)
	if !in || o.weightOf(op.Key, e, 0) == 0 || o.verdict(op.Key, s, e, 0) != down || o.isMaintained(op.Key, e) || o.orderFor(op.Key, e, 0) != (Order{}) || o.mayObey(op.Key) {
		return false
	}
	serving := 0
	for _, e := range s.places() {
		if after.Dests[e.addr].Weight > 0 {
			serving++
		}
	}
	return serving < o.quota(op.Key, s)
}

// notePutIn notes whom somebody else puts in service, and takes out.
func (o *oracle) notePutIn(op ipvsctl.Op, before ipvsctl.Service) {
	at := spot{op.Key, op.Dest.Addr}
	switch {
	case op.Kind < ipvsctl.AddDest:
	case op.Kind == ipvsctl.DelDest || op.Dest.Weight == 0:
		delete(o.putIn, at)
	case before.Dests[at.addr].Weight == 0:
		o.putIn[at] = true
	}
}
