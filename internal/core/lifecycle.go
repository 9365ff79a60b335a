package core

import (
	"fmt"
	"iter"
	"net/netip"
	"slices"
	"time"

	"ldirectord/internal/health"
	"ldirectord/internal/history"
	"ldirectord/internal/judge"
	"ldirectord/internal/lvs"
	"ldirectord/internal/maintenance"
	"ldirectord/internal/notify"
	"ldirectord/internal/plan"
	"ldirectord/internal/schedule"
	"ldirectord/internal/view"
	"ldirectord/parser"
)

// Plan is a plan that is ready to be put in force.
type Plan struct {
	*plan.Plan
	virtuals []*virtual
}

// Ready prepares a plan. It takes most of the time of a reload, but does not need the core.
func Ready(p *plan.Plan) Plan { return Plan{p, virtualsOf(p)} }

// Begin applies the first plan to the existing table. Servers with a weight above 0 in the table count as up until
// their checks fail. Unconfigured destinations of our virtual services are removed, unless they drain, or may belong to
// a name without an address. The argument first is the first reading of maintenancedir. Begin fails only if it can't
// read the table.
func (c *Core) Begin(now time.Time, t Table, p Plan, first maintenance.Reading) (Effects, error) {
	c.tell.tick(now)
	c.writer.use(t)
	have, o := c.writer.read()
	if o.Err != nil && o.Answer != judge.Interrupted {
		return Effects{}, fmt.Errorf("reading the table: %w", o.Err)
	}
	have = c.writer.completed(have, slices.Concat(c.former, keysOf(p.virtuals)))
	c.tell.enter(lvs.StatusStarting)
	c.global = &p.Config.Global
	var former []*virtual
	for _, key := range c.former {
		former = append(former, &virtual{Service: &plan.Service{Config: &parser.Virtual{Key: key}}})
	}
	c.claimant.assign(p.virtuals, former)
	for _, v := range p.virtuals {
		v.touch()
		found, there := have[v.Key()]
		v.addEarlier(func(e *plan.Entry) bool { return v.IsOurs() && c.departures.mayServe(e, found) })
		if there && c.standby {
			v.Left() // the previous daemon may have left it in the table; its mark rules then stay
		}
		if !there || !v.IsOurs() {
			continue
		}
		for _, s := range v.servers {
			if found.Dests.Weight(s.Dest.Addr) > 0 {
				s.Assume()
			}
		}
		for _, l := range c.departures.last {
			if _, in := found.Dests.At(l.Addr); in && l.Key == v.Key() && !l.Stays {
				v.SendOff(judge.Departure{Addr: l.Addr, Name: l.Name, Until: l.Until}, c.tell.now())
			}
		}
	}
	former = those(former, func(v *virtual) bool { return have[v.Key()].Key == v.Key() })
	c.install(p, p.Succeed(usesOf(nil), nil, usesOf(nil)), first, former)
	c.movers.resume(have) // after the orders, which set weights
	if c.standby {
		c.tell.line(notify.StandingBy, standsBy)
	}
	c.writer.keepTimeouts()
	c.writer.sync(have)
	c.compared = c.tell.now().Add(c.driftInterval())
	return c.effects(), nil
}

// Replace puts a new plan in force, with the first reading of its maintenancedir. A server keeps its health if its
// check stays the same. If its check changed, its entry in the table stays until the first result of the new check.
//
// If refines is true, the plan differs only in the servers of lists and in the addresses of names. A server without an
// address has the state unknown and is not in the table. It counts as down, so that the fallback server can serve. A
// destination that was in the table at the start may be such a server, so it is kept as it is until every name has an
// address. If a new server has no address, servers that left the file when it was added also stay, and are checked.
// Changes by hand are kept.
func (c *Core) Replace(now time.Time, p Plan, first maintenance.Reading, refines bool) {
	if c.tell.tick(now); !refines {
		c.tell.enter(lvs.StatusReloading)
		for _, one := range c.examiner.checks {
			one.unwatched = ""
		}
	}
	before := byKey(c.virtuals)
	owned := those(c.virtuals, (*virtual).MayBeIn)
	for _, v := range p.virtuals {
		was := before[v.Key()]
		v.addEarlier(func(e *plan.Entry) bool { return was != nil && was.WouldServe(e.Dest.Addr) })
		if was != nil {
			v.Owner = was.Owner
		}
	}
	gained := c.claimant.assign(p.virtuals, slices.Concat(owned, c.purges))
	heirs := p.Succeed(usesOf(c.virtuals), c.tls, usesOf(p.virtuals))
	after := byKey(p.virtuals)
	for _, v := range c.virtuals {
		c.tell.forget(v, after[v.Key()])
	}
	for _, v := range p.virtuals {
		takeOver(v, before[v.Key()], refines, &c.tell)
		v.touch()
		if p.Config.Global.Channels != c.global.Channels {
			v.reported.state.Text = nil // a new receiver gets the current state
		}
		c.examiner.judgeKnown(v)
	}
	orphans := c.ordered.orphans()
	c.install(p, heirs, first, owned)
	c.ordered.orphaned(orphans)
	c.claimant.takeOver(gained)
	c.writer.keepTimeouts()
	c.writer.purge()
}

// takeOver copies the state of a virtual service from the former plan. For a new service, the argument was is nil.
// Afterwards install applies orders and maintenance; takeOver copies only those that install must not take for new
// ones.
func takeOver(v, was *virtual, refines bool, tell *teller) {
	if was == nil {
		return
	}
	v.inherit(was)
	for _, s := range v.servers {
		if s.Health() == health.Up && s.past.IsDown() {
			tell.note(history.Up, "the check that failed is no longer made", s)
		}
	}
	if was.Withholds() && !v.Withholds() {
		tell.guard(v, notify.GuardOver, "Brake is over", ": the checks that it held are no longer made")
	}
	if refines {
		v.CarryTable(&was.Case)
		v.writing = was.writing
		v.retry.AtOnce()
	}
	for _, s := range v.servers {
		o := was.former(s)
		if o == nil {
			continue
		}
		if s.Held && o.Order.Kind == judge.Drain { // the end of the drain removes it, even under another name
			s.order, s.Order = o.order, o.Order
		}
		if o.entry.Name() != s.entry.Name() {
			continue
		}
		s.maintenance, s.File = o.maintenance, o.File // a reload does not report it again
		if refines {
			s.order = o.order
			s.CarryOrders(o.Server)
		}
	}
	for _, s := range v.members() {
		tell.known(v, s)
	}
	tell.known(v, nil)
	if !was.IsOurs() {
		return
	}
	for _, l := range was.Departing {
		v.SendOff(l, tell.now())
	}
	byAddr := func(a, b *server) int { return a.Dest.Addr.Compare(b.Dest.Addr) }
	for _, s := range slices.SortedFunc(slices.Values(was.servers), byAddr) { // Departing is sorted
		v.SendOff(judge.Departure{Addr: s.Dest.Addr}, tell.now())
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

// usesOf yields the checks of virtual services as their plan defines them.
func usesOf(virtuals []*virtual) iter.Seq[plan.Use] {
	return func(yield func(plan.Use) bool) {
		for x := range checked(virtuals...) {
			if !yield(x.use()) {
				return
			}
		}
	}
}

// inherit copies the state of a virtual service that survives every reload, see judge.Case.Carry. Changes by hand end;
// takeOver keeps them if the plan only refines the former one.
func (v *virtual) inherit(was *virtual) {
	v.acts, v.placed, v.retry = was.acts, was.placed, was.retry.Renewed()
	now := v.entries()
	before := v.predecessors(was, now)
	v.Carry(&was.Case, was.placed, func(i int) *judge.Server {
		old := before[i]
		if old == nil {
			return nil
		}
		now[i].notes = old.notes
		return old.Server
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

// predecessors returns the server that each entry was before a reload, or nil for a new one. If several real servers
// have the same address, those from the same line are paired first. The others are paired in the order of the file.
func (v *virtual) predecessors(was *virtual, now []*server) []*server {
	first, later := make(map[netip.AddrPort]int, len(was.servers)), make([]int, len(was.servers)) // counted from 1
	for i, old := range slices.Backward(was.servers) {
		later[i], first[old.entry.Real.Addr] = first[old.entry.Real.Addr], i+1
	}
	found, taken := make([]*server, len(now)), make([]bool, len(was.servers))
	for i, s := range now[len(v.servers):] {
		found[len(v.servers)+i] = was.formerly(s)
	}
	for _, anyLine := range []bool{false, true} {
		for i, s := range v.servers {
			for k := first[s.entry.Real.Addr] - 1; k >= 0 && found[i] == nil; k = later[k] - 1 {
				if old := was.servers[k]; !taken[k] && (anyLine || v.isSameLine(s, was, old)) {
					found[i], taken[k] = old, true
				}
			}
		}
	}
	return found
}

// isSameLine reports whether a server had the same names and the same first check before a reload.
func (v *virtual) isSameLine(s *server, was *virtual, old *server) bool {
	return s.entry.IsNamedAs(old.entry) && (user{v, s, &s.first}).among(was, old) != nil
}

// judgement returns the server's judgement number k, counted from 0.
func (s *server) judgement(k int) *judgement {
	j := &s.first
	for range k {
		j = j.next
	}
	return j
}

// before returns the judgement of the same server by the same check before a reload, or nil if there was none. A
// renewed certificate makes a new task, but the check stays the same.
func (x user) before(was *virtual) *judgement {
	if x.s.Fallback {
		return x.among(was, was.formerly(x.s))
	}
	for old := range was.Sharing(x.s.Dest.Addr) {
		if j := x.among(was, was.all[old.At]); j != nil {
			return j
		}
	}
	return nil
}

// among returns the judgement of a former server by the same check, or nil if there was none.
func (x user) among(was *virtual, old *server) *judgement {
	if old == nil {
		return nil
	}
	for o := range was.checks(old) {
		if o.task() == x.task() || o.use().Spec() == x.use().Spec() {
			return o.j
		}
	}
	return nil
}

// install puts the plan's virtual services and checks in force, and applies orders and maintenance to them. heirs maps
// each replaced check to the new one. owned lists the virtual services that may be in the table.
func (c *Core) install(p Plan, heirs map[*schedule.Task]*schedule.Task, first maintenance.Reading, owned []*virtual) {
	c.agenda.enter(p.virtuals, c.virtuals)
	c.global, c.tls, c.virtuals = &p.Config.Global, p.TLS, p.virtuals
	c.tell.use(c.global)
	for _, v := range c.virtuals {
		if len(v.Config.Waiting) > 0 && v.waitingSince.IsZero() {
			v.waitingSince = c.tell.now()
		}
	}
	c.examiner.enter(p.Plan)
	c.announcer.enlist(c.virtuals, c.tell.now())
	c.ordered.apply()
	c.folder.enter(first)
	c.examiner.run(heirs)
	c.writer.disown(owned)
	c.marker.order()
	c.claimant.record()
	c.departures.record()
	c.observer.arm()
}

// End records, for the next daemon, the servers whose weights are changing or that have to wait. No check result is
// handled after End.
func (c *Core) End(now time.Time) {
	c.tell.tick(now)
	c.movers.record(true)
}

// Stop begins the shutdown. It reports the virtual services that will be removed because of cleanstop. Next, the
// addresses are withdrawn, see Withdrawing. Then Clear removes the virtual services. From now on, requests to the table
// go through t.
func (c *Core) Stop(now time.Time, t Table) {
	c.tell.tick(now)
	c.tell.enter(lvs.StatusStopping)
	c.writer.use(t)
	c.writer.tryAtOnce()
	c.tell.leaving(c.ours, "the director stops")
	c.announcer.end()
}

// Clear removes virtual services with cleanstop = yes from the table, and those that are no longer configured. It
// returns those that it could not remove.
func (c *Core) Clear(now time.Time) (left []lvs.Key) {
	c.tell.tick(now)
	c.writer.purge()
	reported, unsent := map[string]bool{}, 0
	left = keysOf(c.purges)
	for _, v := range c.ours {
		switch o := c.writer.leave(v, reported); {
		case o.Err == nil:
			continue
		case o.Answer == judge.Unsent:
			unsent++
		default:
			c.writer.failed(v, o)
		}
		left = append(left, v.Key())
	}
	if unsent > 0 {
		c.tell.emit(notify.Event{Kind: notify.TableError, Reason: errSilent.Error(),
			Text: fmt.Sprintf("Table change failed: %s left in the table: %v",
				view.Plural(unsent, "virtual service"), errSilent)})
	}
	return left
}

// RulesLeft returns the mark rules that stay after a stop. The result any reports whether rules have to be set or
// removed.
func (c *Core) RulesLeft() (rules []lvs.MarkRule, any bool) {
	stays := func(v *virtual) bool { return !v.Config.CleanStop && v.MayBeIn() }
	return rulesOf(those(c.virtuals, stays)), !c.marker.now().IsClear()
}

// RulesSet handles the result of an order for mark rules at a stop.
func (c *Core) RulesSet(now time.Time, rules []lvs.MarkRule, restored []string, err error) {
	c.tell.tick(now)
	c.marker.took(rules, restored, err)
}

// RulesStay reports that mark rules stay at a stop, because an order for them has not ended.
func (c *Core) RulesStay() {
	c.tell.line(notify.TableError, "Mark rules can't be removed: an earlier change of them is still running")
}
