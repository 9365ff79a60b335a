package director

import (
	"cmp"
	"maps"
	"slices"

	"ldirectord/checker"
	"ldirectord/checker/health"
	"ldirectord/notify"
)

// This file is about keepserving: checks alone leave at least N servers in service. A server that fails and has to stay
// is held: it is down, and the table has it as if it were up.

// quota is how many servers checks must leave in service; 0: they may take out all.
func (v *virtual) quota() int { return v.cfg.KeepServing.Of(v.weighted()) }

// weighted is how many servers have a weight, those without an address among them.
func (v *virtual) weighted() (n int) {
	for _, s := range v.servers {
		if s.weight() > 0 && s.moved == nil {
			n++
		}
	}
	for i := range v.cfg.Waiting {
		n += min(v.cfg.Waiting[i].Weight, 1)
	}
	return n
}

// guards reports whether servers may be held.
func (v *virtual) guards() bool { return v.cfg.KeepServing.N > 0 && !v.obeys }

// serves reports whether a server is in service, as its checks, the operator's orders and changes by hand have it.
func (v *virtual) serves(s *server) bool {
	state := s.state()
	if s.weight() == 0 || s.drained() || state != health.Up && (state != health.Unknown || !s.kept) {
		return false
	}
	return !v.isOutByHand(s) && !((s.rerouted || v.gathers()) && v.weighsNothing(s))
}

// follow takes over what the checks of a server say now. One that goes down and served until then is held; guard
// decides whether it stays so. It reports whether that concerns the table.
func (v *virtual) follow(s *server, served bool) bool {
	was := s.held
	switch s.verdict() {
	case health.Down:
		s.held, s.kept = served && v.guards(), false
		s.entered = s.entered && s.held
	case health.Up:
		s.held = false
	}
	return !was && !s.held
}

// goOut ends what keeps a server in service whose checks do not pass.
func (s *server) goOut() { s.held, s.kept, s.entered = false, false, false }

// letGo ends that it is held.
func (s *server) letGo() { s.held, s.entered, s.transitioned = false, false, true }

// reordered takes over another order. A held server that is drained keeps its connections, and goes when the drain
// ends: it comes back by a success alone.
func (s *server) reordered(wasDrained bool) {
	if s.suspended() != "" || wasDrained && !s.drained() {
		s.goOut()
	}
	if s.drained() {
		s.kept, s.entered = false, false
	}
}

// holdout is how long a server that fails is held, compared with others: who can't be connected goes first, who answers
// wrongly last.
type holdout uint8

const (
	notReached holdout = iota
	noAnswer
	wrongAnswer
)

func holdoutOf(r checker.Result) holdout {
	switch {
	case r.Stage == checker.AtConnect, r.Cause == checker.Refused, r.Cause == checker.Unreachable:
		return notReached
	case r.Cause == checker.Answer:
		return wrongAnswer
	default:
		return noAnswer
	}
}

// holdout is the least of those of its checks that failed.
func (s *server) holdout() holdout {
	least := wrongAnswer
	for j := &s.first; j != nil; j = j.next {
		if j.health.State == health.Down {
			least = min(least, j.holdout)
		}
	}
	return least
}

// release lets go of servers that are held until no more than the quota serve, and returns who is held then. One whose
// check a reload changed is held at least until the first result.
func (v *virtual) release() (held []*server) {
	serving, guards := 0, v.guards()
	for _, s := range v.servers {
		switch serves := v.serves(s); {
		case s.held && (!guards || s.weight() == 0):
			s.letGo()
		case s.held && v.isOutByHand(s):
			s.goOut()
		case serves && s.held:
			held = append(held, s)
			fallthrough
		case serves:
			serving++
		}
	}
	inOrder := slices.Clone(held)
	slices.SortStableFunc(inOrder, func(a, b *server) int {
		return cmp.Or(cmp.Compare(a.holdout(), b.holdout()), a.since.Compare(b.since))
	})
	inOrder = slices.DeleteFunc(inOrder, func(s *server) bool { return s.verdict() == health.Unknown })
	for _, s := range inOrder[:min(len(inOrder), max(0, serving-v.quota()))] {
		s.letGo()
	}
	return slices.DeleteFunc(held, func(s *server) bool { return !s.held })
}

// isOutByHand reports whether somebody else took a server out of service.
func (v *virtual) isOutByHand(s *server) bool {
	return v.overridden[s.dest.Addr] && v.weighsNothing(s) // in the order of their cost: each result asks
}

// weighsNothing reports whether a server has no weight, or is not there, as the table was last written.
func (v *virtual) weighsNothing(s *server) bool {
	weight, _ := v.weightAt(s.dest.Addr)
	return weight == 0
}

// guard decides who is held, after something changed.
func (d *Director) guard(v *virtual) {
	if v.obeys && v.recovered() {
		at := Backend{Virtual: v.cfg.ID}
		v.obeys, d.over[at], d.ordered = false, d.ordered[at], maps.Clone(d.ordered)
		delete(d.ordered, at)
		d.teller.guard(v, notify.GuardObeys, "Guard is back", ": every server is up")
	}
	if v.cfg.KeepServing.N == 0 && v.holds == 0 && v.isOurs() { // there nobody counts who is held
		return
	}
	if held := v.release(); v.isOurs() { // where nobody is in service
		before := v.holds
		v.holds = len(held)
		d.teller.holds(v, before, held)
	}
}

// recovered reports whether every server is up that is not out by order, and not by the brake alone. Those without an
// address don't count.
func (v *virtual) recovered() bool {
	for x := range checked(v) {
		counts, braked := x.s.weight() > 0 && !x.s.drained() && x.s.suspended() == "", x.j.check != nil &&
			x.j.check.last.OwnAnswers
		if counts && (braked || x.j.health.State != health.Up) {
			return false
		}
	}
	return true
}

// obeyChecks carries the order for a virtual service out.
func (d *Director) obeyChecks(v *virtual, o Order) {
	if v.obeys == (o.Kind == Obey) {
		return
	}
	v.obeys, v.dirty = !v.obeys, true
	if !v.obeys {
		d.teller.guard(v, notify.GuardObeys, "Guard is back", "")
		return
	}
	d.teller.guard(v, notify.GuardObeys, "Guard lets the checks have their way", o.remark(": "))
	d.releaseBrakes(v)
}
