package director

import (
	"context"

	"ldirectord/checker"
	"ldirectord/judge"
	"ldirectord/notify"
)

// lossOf says how a check failed.
func lossOf(r checker.Result) judge.Loss {
	switch {
	case r.Stage == checker.AtConnect, r.Cause == checker.Refused, r.Cause == checker.Unreachable:
		return judge.NotReached
	case r.Cause == checker.Answer:
		return judge.WrongAnswer
	default:
		return judge.NoAnswer
	}
}

// decide lets the rules decide a virtual service, and tells what they say of the guard.
func (d *Director) decide(ctx context.Context, v *virtual) judge.Decision {
	d.writer.countRerouted(ctx, v)
	obeyed := v.Obeys
	decision := judge.Decide(v.Case, d.teller.now())
	for i, s := range v.members {
		if next := &decision.State.Servers[i]; next.Name != s.Name {
			s.before, s.lasted = s.Name, next.Since.Sub(s.Since)
		}
	}
	v.Adopt(decision.State)
	if obeyed && !v.Obeys {
		d.ordered.drop(Backend{Virtual: v.cfg.ID})
		d.teller.guard(v, notify.GuardObeys, "Guard is back", ": every server is up")
	}
	if v.isOurs() { // else nobody is in service
		before, held := v.holds, v.which(decision.Held)
		v.holds = len(held)
		d.teller.holds(v, before, held)
	}
	return decision
}

// which are the servers at these places among the members.
func (v *virtual) which(places []int) (all []*server) {
	for _, i := range places {
		all = append(all, v.members[i])
	}
	return all
}

// obeyChecks carries the order for a virtual service out.
func (d *Director) obeyChecks(v *virtual, o Order) {
	if v.Obeys == (o.Kind == Obey) {
		return
	}
	braking := v.IsBraking()
	judged := v.Obey(!v.Obeys)
	if v.touch(); !v.Obeys {
		d.teller.guard(v, notify.GuardObeys, "Guard is back", "")
		return
	}
	d.teller.guard(v, notify.GuardObeys, "Guard lets the checks have their way", o.remark(": "))
	if braking {
		d.teller.guard(v, notify.GuardOver, "Brake is over", ": by order the checks have their way")
	}
	d.examiner.judgeAccused(v, judged)
}
