package director

import (
	"context"
	"slices"
	"time"

	"ldirectord/checker"
	"ldirectord/checker/wire"
	"ldirectord/judge"
	"ldirectord/lvs"
	"ldirectord/notify"
	"ldirectord/orders"
)

// lossOf grades the failure of a check.
func lossOf(r checker.Result) judge.Loss {
	switch {
	case r.Stage == wire.AtConnect, r.Cause == checker.Refused, r.Cause == checker.Unreachable:
		return judge.NotReached
	case r.Cause == checker.Answer:
		return judge.WrongAnswer
	default:
		return judge.NoAnswer
	}
}

// decide applies the rules to a virtual service, and reports changes of the guard.
func (w *writer) decide(ctx context.Context, v *virtual) judge.Decision {
	w.countRerouted(ctx, v)
	now, obeyed := w.tell.now(), v.Obeys
	decision := judge.Decide(v.Case, now)
	next := &judge.Case{Section: v.Section, State: decision.State}
	v.moves, v.lasts = false, decision.Again
	for i, s := range v.members {
		was, is := v.Seen(s.Server, now), next.Seen(&next.Servers[i], now)
		if is.One.Name != s.Name {
			s.before, s.lasted = s.Name, uint32(is.One.Since.Sub(s.Since).Round(time.Second)/time.Second)
		}
		if v.isOurs() {
			w.tell.changed(v, s, was, is)
		}
		v.moves = v.moves || is.Moves()
		s.steps = s.steps || was.Moves() || is.Moves()
	}
	if v.rules, v.again = decision.Others, decision.Again; v.moves {
		v.again = together(v.again)
	}
	if v.isOurs() && v.placed {
		w.tell.changed(v, nil, v.Seen(nil, now), next.Seen(nil, now))
	}
	leavers := v.Leavers
	if v.Adopt(decision.State); !slices.Equal(v.Leavers, leavers) {
		v.depart(v.servers)
		w.left = true
	}
	if v.isOurs() {
		w.tell.followFlaps(v)
	}
	w.decided(v)
	if obeyed && !v.Obeys {
		w.orders.drop(lvs.Backend{Virtual: v.cfg.ID})
		w.tell.guard(v, notify.GuardObeys, "Guard is in force again", ": every server is up")
	}
	if v.isOurs() { // otherwise no server is in service
		before := v.holds
		v.holds = len(decision.Held)
		w.tell.holds(v, before, decision.Held)
	}
	return decision
}

// obey carries out an order for a virtual service.
func (e *examiner) obey(v *virtual, o orders.Order) {
	if v.Obeys == (o.Kind == orders.Obey) {
		return
	}
	braking := v.IsBraking()
	judged := v.Obey(!v.Obeys)
	if v.touch(); !v.Obeys {
		e.tell.guard(v, notify.GuardObeys, "Guard is in force again", "")
		return
	}
	e.tell.guard(v, notify.GuardObeys, "Guard is suspended by order", o.Remark(": "))
	if braking {
		e.tell.guard(v, notify.GuardOver, "Brake is over", ": suspended by order")
	}
	e.judgeAccused(v, judged)
}
