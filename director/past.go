package director

import (
	"context"
	"slices"

	"ldirectord/checker"
	"ldirectord/checker/health"
	"ldirectord/history"
	"ldirectord/ipvsctl"
)

// This file is about what is remembered of each real server, for those who ask why it is what it is.

// unbelieved remembers a result that changes no state.
func (t *teller) unbelieved(k history.Kind, r *checker.Result, users ...user) {
	for _, x := range users {
		x.s.past.Result(history.At(t.now()), x.j.number, k, r, history.Verdict{})
	}
}

// turn remembers that the server changed its state, and by which rule.
func (t *teller) turn(x user, was health.State, why history.Verdict) {
	state, past := x.s.Verdict(), &x.s.past
	if was == health.Unknown && state != health.Down && !past.IsDown() {
		return // as it should be
	}
	kind := history.Up
	if state == health.Down {
		kind = history.Down
	}
	text := x.named(why.Words(state == health.Up, x.v.cfg.Window.Of))
	past.Do(history.At(t.now()), kind, 0, text)
}

// reloaded remembers that servers are up because the check that failed is not made any more.
func (t *teller) reloaded(v *virtual) {
	for _, s := range v.servers {
		if s.Verdict() == health.Up && s.past.IsDown() {
			s.past.Do(history.At(t.now()), history.Up, 0, "the check that failed is not made any more")
		}
	}
}

// counted is how many results of one check count against a state with the last of them.
func counted(before, next health.Health, changed, ok bool, r health.Rule) (v history.Verdict) {
	if !before.Doubted(ok) {
		return v
	}
	v.Count, v.Needed = uint16(next.Streak), uint16(before.Turns(r))
	if changed {
		v.Count = v.Needed
	}
	return v
}

// rememberOp remembers what the table was told of a server, and what it answered.
func rememberOp(v *virtual, now history.Moment, op ipvsctl.Op, err error) {
	kinds := [...]history.Kind{
		ipvsctl.AddDest: history.Add, ipvsctl.EditDest: history.Edit, ipvsctl.DelDest: history.Remove,
	}
	why := ""
	if err != nil {
		why = err.Error()
	}
	if s := v.serverAt(op.Dest.Addr); s != nil && kinds[op.Kind] != 0 {
		s.past.Do(now, kinds[op.Kind], op.Dest.Weight, why)
	}
}

// held remembers who is held now, and who not any more.
func (t *teller) held(v *virtual) {
	for _, s := range v.servers {
		s.past.Guard(history.At(t.now()), s.Held)
	}
}

// note remembers what somebody did to servers; nil is none.
func (t *teller) note(what string, servers ...*server) {
	for _, s := range servers {
		if s != nil {
			s.past.Do(history.At(t.now()), history.Changed, 0, what)
		}
	}
}

// ordered remembers that the server has another order.
func (t *teller) ordered(s *server, o Order) {
	was, what := s.ordered(), "order undone: "
	switch {
	case o.Kind != "":
		was, what = o, "order: "
	case was.IsOver(t.now()):
		what = "order ended: "
	}
	s.past.Order(history.At(t.now()), what+was.String())
}

// Why is a Snapshot of those servers alone that an operator means, with all that is remembered of each. It waits as
// Snapshot does. Virtual and real are as for Snapshot.Backends; servers without an address, or whose names have moved,
// are among them.
func (d *Director) Why(ctx context.Context, virtual, real string) (*Snapshot, error) {
	var refused error
	found, err := d.look(ctx, func() *Snapshot {
		now := d.snapshot()
		refused = now.Called(&virtual)
		for i, v := range d.virtuals {
			list := now.Virtuals[i].Servers
			for k, s := range v.servers {
				if isNamed(v.cfg.ID, virtual) && list[k].isMeant(real) {
					list[k].Past, list[k].CheckNames = s.past.Clone(), v.checkNames(s)
					list[k].Conversations = d.examiner.said.of(v, s)
				}
			}
		}
		now.only(virtual, real)
		return now
	})
	if err != nil { // it may still be looked for
		return nil, err
	}
	return found, refused
}

// checkNames are the names of a server's checks, by their numbers in the section.
func (v *virtual) checkNames(s *server) map[uint8]string {
	names := map[uint8]string{}
	for j := &s.first; j != nil && j.task != nil; j = j.next {
		names[j.number] = user{v, s, j}.checkName()
	}
	return names
}

// only drops all servers but those that an operator means.
func (now *Snapshot) only(virtual, real string) {
	now.Virtuals = slices.DeleteFunc(now.Virtuals, func(v VirtualSnapshot) bool { return !isNamed(v.ID, virtual) })
	for i := range now.Virtuals {
		v := &now.Virtuals[i]
		v.Servers = slices.DeleteFunc(v.Servers, func(s ServerSnapshot) bool { return !s.isMeant(real) })
		v.Leaving = slices.DeleteFunc(v.Leaving,
			func(l LeaverSnapshot) bool { return real != "" && !isMeant(l.Name, real) })
	}
	now.Virtuals = slices.DeleteFunc(now.Virtuals,
		func(v VirtualSnapshot) bool { return len(v.Servers)+len(v.Leaving) == 0 })
}
