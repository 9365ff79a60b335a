package director

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net/netip"
	"slices"
	"time"

	"ldirectord/checker/health"
	"ldirectord/checker/schedule"
	"ldirectord/history"
	"ldirectord/judge"
	"ldirectord/lvs"
	"ldirectord/notify"
	"ldirectord/parser"
	"ldirectord/plan"
)

// begin applies the first plan to the table as found. Servers with a weight count as up until their checks fail. It
// purges unconfigured destinations of our virtual services.
func (d *Director) begin(ctx context.Context, p *plan.Plan, f folder, have lvs.Table) {
	virtuals := virtualsOf(p)
	d.tell.status, d.global = lvs.StatusStarting, &p.Config.Global
	var former []*virtual
	for _, key := range d.deps.Former {
		former = append(former, &virtual{Service: &plan.Service{Config: &parser.Virtual{Key: key}}})
	}
	d.claimant.assign(virtuals, former)
	for _, v := range virtuals {
		v.touch()
		found, there := have[v.Key()]
		v.addEarlier(func(e *plan.Entry) bool { return v.IsOurs() && d.leavers.mayServe(e, found) })
		if !there || !v.IsOurs() {
			continue
		}
		for _, s := range v.servers {
			if found.Dests.Weight(s.Dest.Addr) > 0 {
				s.Assume()
			}
		}
		for _, l := range d.leavers.last {
			if _, in := found.Dests.At(l.Addr); in && l.Key == v.Key() && !l.Stays {
				v.SendOff(judge.Leaver{Addr: l.Addr, Name: l.Name, Until: l.Until}, time.Now())
			}
		}
	}
	former = slices.DeleteFunc(former, func(v *virtual) bool { return have[v.Key()].Key != v.Key() })
	d.install(p, virtuals, p.Succeed(usesOf(nil), nil, usesOf(nil)), f, former)
	d.movers.resume(have) // after the orders, which give weights
	if d.standby {
		d.tell.line(notify.StandingBy, standsBy)
	}
	d.writer.keepTimeouts(ctx)
	d.writer.sync(ctx, have)
}

// reload puts a new plan in force. A server whose check stays the same keeps its health. If its check changed, its
// entry in the table stays until the first result of the new check.
func (d *Director) reload(ctx context.Context, p *plan.Plan, virtuals []*virtual, f folder, refines bool) {
	if !refines {
		d.tell.status = lvs.StatusReloading
		for _, c := range d.examiner.checks {
			c.unwatched = ""
		}
	}
	before := byKey(d.virtuals)
	owned := slices.DeleteFunc(slices.Clone(d.virtuals),
		func(v *virtual) bool { return !v.MayBeIn() })
	for _, v := range virtuals {
		was := before[v.Key()]
		v.addEarlier(func(e *plan.Entry) bool { return was != nil && was.WouldServe(e.Dest.Addr) })
	}
	d.claimant.assign(virtuals, slices.Concat(owned, d.purges))
	heirs := p.Succeed(usesOf(d.virtuals), d.tls, usesOf(virtuals))
	for _, v := range virtuals {
		v.touch()
		takeOver(v, before[v.Key()], refines, &d.tell)
		if p.Config.Global.Channels != d.global.Channels {
			v.told.state.Text = nil // a new receiver gets the current state
		}
		d.examiner.judgeKnown(v)
	}
	d.install(p, virtuals, heirs, f, owned)
	d.writer.keepTimeouts(ctx)
	d.remover.purge(ctx)
}

// takeOver copies the state of a virtual service from the former plan; nil: it is new.
func takeOver(v, was *virtual, refines bool, tell *teller) {
	if was == nil {
		return
	}
	v.inherit(was)
	for _, s := range v.servers {
		if s.Verdict() == health.Up && s.past.IsDown() {
			tell.note(history.Up, "the check that failed is no longer made", s)
		}
	}
	if was.IsBraking() && !v.IsBraking() {
		tell.guard(v, notify.GuardOver, "Brake is over", ": the checks that it held are no longer made")
	}
	if refines {
		v.CarryTable(&was.State, v.Repair)
		v.writing = was.writing
		v.touch()
		for _, s := range v.servers {
			if o := was.serverAt(s.Dest.Addr); o != nil && o.entry.Name() == s.entry.Name() {
				s.order, s.maintenance = o.order, o.maintenance
				s.CarryOrders(o.Server)
			}
		}
	}
	for _, s := range v.members() {
		tell.known(v, s)
	}
	tell.known(v, nil)
	if !was.IsOurs() {
		return
	}
	for _, l := range was.Leavers {
		v.SendOff(l, time.Now())
	}
	for _, s := range was.servers {
		v.SendOff(judge.Leaver{Addr: s.Dest.Addr}, time.Now())
	}
	v.depart(was.servers)
}

// checked yields all checks of all servers and fallback servers, except those with checktype=off.
func checked(virtuals ...*virtual) iter.Seq[user] {
	return func(yield func(user) bool) {
		for _, v := range virtuals {
			for _, s := range v.entries() {
				for x := range v.checks(s) {
					if x.task() != nil && !yield(x) {
						return
					}
				}
			}
		}
	}
}

// usesOf yields the checks of virtual services in their plan.
func usesOf(virtuals []*virtual) iter.Seq[plan.Use] {
	return func(yield func(plan.Use) bool) {
		for x := range checked(virtuals...) {
			if !yield(x.use()) {
				return
			}
		}
	}
}

// inherit copies the state of a virtual service without overrides, which end at a reload.
func (v *virtual) inherit(was *virtual) {
	v.acts, v.placed, v.retry = was.acts, was.placed, was.retry.Renewed()
	before, now := make(map[netip.AddrPort]*server, len(was.servers)), v.entries()
	for _, s := range was.servers {
		before[s.entry.Real.Addr] = s
	}
	v.Carry(&was.Case, was.placed, func(i int) int {
		s := now[i]
		old, place := before[s.entry.Real.Addr], 0
		if s.Fallback {
			old, place = was.formerly(s), len(was.Servers)
		}
		if old == nil {
			return -1
		}
		s.notes = old.notes
		return place + int(old.At)
	}, func(i, k int) *judge.Check {
		s := now[i]
		j := s.judgement(k)
		o := user{v, s, j}.before(was)
		if o == nil {
			s.past.Retire()
			return nil
		}
		j.reason, j.shortages, j.unjudged = o.reason, o.shortages, o.unjudged
		return o.Check
	})
	if len(v.Config.Waiting) > 0 {
		v.waitingSince = was.waitingSince
	}
}

// judgement is one of the server's, by its place among them.
func (s *server) judgement(k int) *judgement {
	j := &s.first
	for range k {
		j = j.next
	}
	return j
}

// before is the judgement of the same server by the same check; nil: none. A renewed certificate makes a new task, but
// the check stays the same.
func (x user) before(was *virtual) *judgement {
	asOften := was.Config.CheckInterval == x.v.Config.CheckInterval
	if x.s.Fallback {
		return x.among(was, was.formerly(x.s), asOften)
	}
	for old := range was.Sharing(x.s.Dest.Addr) {
		if j := x.among(was, was.all[old.At], asOften); j != nil {
			return j
		}
	}
	return nil
}

// among is the judgement of a former server by the same check; nil: none.
func (x user) among(was *virtual, old *server, asOften bool) *judgement {
	if old == nil {
		return nil
	}
	for o := range was.checks(old) {
		if o.task() == x.task() || asOften && o.use().Spec() == x.use().Spec() {
			return o.j
		}
	}
	return nil
}

// install puts the plan's virtual services and checks in force. Heirs are its new checks by those that they replace,
// owned the virtual services that may be in the table.
func (d *Director) install(p *plan.Plan, virtuals []*virtual, heirs map[*schedule.Task]*schedule.Task, f folder,
	owned []*virtual) {
	d.agenda.enter(virtuals, d.virtuals)
	d.global, d.tls, d.virtuals = &p.Config.Global, p.TLS, virtuals
	d.tell.global = d.global
	for _, v := range d.virtuals {
		if len(v.Config.Waiting) > 0 && v.waitingSince.IsZero() {
			v.waitingSince = time.Now()
		}
	}
	d.examiner.enter(p)
	d.announcer.enlist(d.virtuals, d.tell.now())
	d.ordered.apply()
	d.folder.enter(f)
	d.examiner.run(heirs)
	d.remover.disown(owned)
	d.marker.order()
	d.claimant.record()
	d.leavers.record()
	d.observer.arm()
}

// cleanup removes, at a stop, the virtual services that have cleanstop.
func (d *Director) cleanup(ctx context.Context) {
	d.tell.status = lvs.StatusStopping
	d.writer.silence = judge.Silence{}
	for _, v := range d.purges {
		v.retry.AtOnce()
		v.Marks = nil
	}
	allow(ctx, d.demotion, demotionTimeout)
	d.claimant.assign(d.ours, d.purges) // find out which daemon waits now
	hooks := d.tell.leaving(d.ours, "the director stops")
	d.announcer.withdrawAtEnd(ctx, d.writer.alive)
	allow(ctx, hooks, demotionTimeout)
	d.remover.purge(ctx)
	told, left := map[string]bool{}, 0
	for _, v := range d.ours {
		err := d.writer.leave(ctx, v, told)
		switch {
		case errors.Is(err, errSilent):
			left++
		case err != nil:
			d.writer.failed(ctx, v, err)
		}
	}
	if left > 0 {
		d.tell.emit(notify.Event{Kind: notify.TableError, Reason: errSilent.Error(),
			Text: fmt.Sprintf("Table change failed: %d more virtual services could not be removed: %v",
				left, errSilent)})
	}
}
