package director

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"time"

	"ldirectord/checker/health"
	"ldirectord/judge"
	"ldirectord/parser"
	"ldirectord/plan"
	"ldirectord/view"
)

// Snapshot returns what the director knows now. It waits until the director is free, which may take as
// long as one operation on the table, but no longer than ctx allows.
func (d *Director) Snapshot(ctx context.Context) (*view.Snapshot, error) {
	return d.look(ctx, d.snapshot)
}

// look takes a snapshot when the director has a moment.
func (d *Director) look(ctx context.Context, snapshot func() *view.Snapshot) (*view.Snapshot, error) {
	var now *view.Snapshot // the result is not used: the director may still write it when ctx is done
	err := d.orders.submit(ctx, func(_ context.Context, done chan<- struct{}) {
		now = snapshot()
		close(done)
	})
	if err != nil {
		return nil, fmt.Errorf("the director waits for the table: %w", ctx.Err())
	}
	now.Overdue = d.examiner.pool.Overdue()
	return now, nil
}

// SnapshotOf is the state of a plan before any check, with an empty table.
func SnapshotOf(p *plan.Plan) *view.Snapshot {
	a, virtuals := announcer{}, virtualsOf(p)
	a.enlist(virtuals, time.Time{})
	return &view.Snapshot{Standby: true, Virtuals: describeAll(virtuals), Announcements: a.describe()}
}

// snapshot copies the state: one to three milliseconds for 10,000 servers.
func (d *Director) snapshot() *view.Snapshot {
	return &view.Snapshot{
		Time: time.Now(), Status: d.tell.status, Standby: d.standby,
		Orders: d.hold.Held, Over: maps.Clone(d.hold.Over),
		Table: d.writer.asked, Unread: d.writer.unread, Marks: d.marker.trouble, Folder: d.folder.trouble,
		Shortages: d.examiner.shortages, Purging: len(d.purges),
		Announcements: d.announcer.describe(), Announcing: d.announcer.trouble,
		Virtuals: describeAll(d.virtuals), Counted: d.writer.counted,
		Small: d.global.Metrics == "small",
	}
}

func describeAll(virtuals []*virtual) []view.Virtual {
	list, a := make([]view.Virtual, len(virtuals)), &subject{}
	a.Now = time.Now()
	all := 0
	for _, v := range virtuals {
		all += v.size()
	}
	servers := make([]view.Server, all)
	for i, v := range virtuals {
		n := v.size()
		own := servers[:n:n]
		servers = servers[n:]
		for k, s := range v.servers {
			describe(&own[k], v, s, a)
			if own[k].Serves = judge.InService(&v.Case, s.Server); own[k].Serves {
				list[i].Serving++
			}
		}
		for k := range v.Config.Waiting {
			w := &v.Config.Waiting[k]
			now := &own[len(v.servers)+k]
			*now = view.Server{
				Real: w.Name, ServerNames: view.ServerNames{Waits: !w.IsRange},
				State: health.Unknown.String(), Since: v.waitingSince, Weight: w.Weight,
				Conditions: []view.Condition{
					{Kind: "no address", Trouble: judge.Doubt, Text: plan.NoAddress(*w)}},
			}
			now.FillOld()
		}
		list[i] = view.Virtual{
			Serving: list[i].Serving, Nothing: v.servesNothing(),
			ID: v.Config.ID, Name: v.Name(), Title: v.Config.ServiceName, Key: v.Key(),
			Scheduler: v.Settings.Scheduler, Refuses: v.Config.RefusesClientsOfTheDown(),
			Fallback: describeFallback(v, a),
			Written:  v.Known && !v.dirty, Rule: v.Rule, Error: v.retry.Refusal, Added: added(&v.Case),
			Took: v.took, Stages: v.stages, Servers: own,
			Leaving: describeLeavers(v),
			Guard: view.Guard{Keeps: v.Quota(), Held: len(v.held), Obeys: v.Obeys, Rests: v.Recovered(),
				Paced: v.PaceOut.N > 0, Waits: v.Pace.N > 0, Brake: len(v.Brakes) > 0},
			Full: v.full, Enough: v.minServers(), Beside: v.Beside,
		}
		if elsewhere := func(one *announcement) bool { return !one.IsThere() }; len(v.addresses) > 0 {
			list[i].Announced = new(!slices.ContainsFunc(v.addresses, elsewhere))
		}
		if v.Owner != judge.ActiveDirector {
			list[i].Owner = v.Owner
		}
		if v.Owner != "" {
			list[i].Beside = ""
		}
	}
	return list
}

// servesNothing reports whether clients get nothing: nothing in the table has a weight, and the file wants more.
func (v *virtual) servesNothing() bool {
	return v.IsOurs() && v.Known && !v.Have.Serve() && v.Config.CheckType != parser.Off
}

// size is the number of servers of a virtual service, including servers without an address.
func (v *virtual) size() int { return len(v.servers) + len(v.Config.Waiting) }

// describe describes a server.
func describe(now *view.Server, v *virtual, s *server, a *subject) {
	now.Real, now.Alias = s.entry.Names()
	now.Addr, now.Weight = s.Dest.Addr, int(s.Dest.Weight)
	if now.Moved = s.MovedTo >= 0; s.entry.Follows() {
		now.Address = s.entry.Real.Addr.Addr().String()
	} else if s.entry.Real.Named != nil && !now.Moved {
		now.Host = s.entry.Real.Named.Host
	}
	worst := s.worst()
	now.State, now.Since, now.Streak = s.StateName().String(), s.Since, int(worst.Health.Streak)
	if o := s.ordered(); s.Name > judge.Down && o.TakesOut() && !o.Since.IsZero() && o.Since.Before(now.Since) {
		now.Since = o.Since // by an earlier daemon
	}
	now.Drained, now.Order, now.Rule = s.Drained(), s.order, s.Why.String()
	now.Up, now.Held = s.IsUp() && !s.Held, s.Held && !now.Drained
	now.Tally, now.Carries, now.Counted, now.Limit = s.tally, s.carries, s.counted, s.Dest.Upper
	for x := range v.checks(s) {
		j := x.j
		c := j.check
		if c != nil && c.last.CertEnd != 0 && (now.CertEnd == 0 || c.last.CertEnd < now.CertEnd) {
			now.CertEnd = c.last.CertEnd
		}
		if c != nil && c.answered != 0 {
			due := c.answered.Time().Add(cmp.Or(c.hurried, x.task().Every))
			if now.Due.IsZero() || due.Before(now.Due) {
				now.Due = due
			}
		}
		if s.first.next != nil {
			now.Checks = append(now.Checks, x.describe())
		}
	}
	now.Effective, now.InTable = v.WeightAt(s.Dest.Addr)
	if c := worst.check; c != nil {
		now.Checked, now.Last = c.at.Time(), c.last
	}
	a.about(v, s, worst)
	now.Conditions = a.conditions()
	now.FillOld()
}

func (x user) describe() view.Check {
	j := x.j
	now := view.Check{Name: x.use().Name(), Agent: j.Aside, State: j.Health.State.String(),
		Streak: int(j.Health.Streak), Unjudged: j.cantJudge()}
	if j.check != nil {
		now.Checked, now.Last = j.check.at.Time(), j.check.last
	}
	return now
}

// added are destinations that were added by hand.
func added(v *judge.Case) (list []string) {
	if len(v.ByHand) == 0 { // the usual case allocates nothing
		return nil
	}
	for _, addr := range slices.SortedFunc(maps.Keys(v.ByHand), netip.AddrPort.Compare) {
		if _, in := v.WeightAt(addr); in && v.IsNobodys(addr) {
			list = append(list, addr.String())
		}
	}
	return list
}
