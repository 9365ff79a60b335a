package plan

import (
	"cmp"
	"time"

	"ldirectord/internal/health"
	"ldirectord/internal/judge"
	"ldirectord/internal/lvs"
	"ldirectord/internal/orders"
)

// Preview returns the table that the plan and these orders lead to if every server passes its checks. With slowstart,
// servers that join others in service have their initial weight; the current table, have, shows which others serve.
func (p *Plan) Preview(given orders.All, have lvs.Table) lvs.Table {
	t := lvs.Table{}
	for _, s := range p.Services {
		now := judge.Case{Section: &s.Section, State: s.Unknown(make([]judge.Server, len(s.Entries)))}
		if now.Have = (lvs.Dests{}); now.SlowStart > 0 {
			now.Have = append(now.Have, have[s.Key()].Dests...)
		}
		for i, e := range s.Reals() {
			now.Servers[i].AssumeAll(health.Assume(health.Up))
			now.Servers[i].Ordered(Decisive(s.OrderOf(given, e)))
		}
		t[s.Key()] = lvs.VirtualService{Key: s.Key(), Settings: s.Settings,
			Dests: lvs.DestsOf(judge.Decide(now, time.Unix(1, 0)).Places)}
	}
	return t
}

// OrderOf returns the order for an entry. It tries both names of the entry, because the order may have been given
// before resolve was set in the file, or before the server got a new address.
func (s *Service) OrderOf(all orders.All, e *Entry) orders.Order {
	name, other := e.Names()
	return cmp.Or(all[lvs.At(s.Config.ID, name)], all[lvs.At(s.Config.ID, cmp.Or(other, name))])
}

// Decisive returns the part of an order that the rules use.
func Decisive(o orders.Order) judge.Order {
	kinds := map[orders.Kind]judge.OrderKind{
		orders.Drain: judge.Drain, orders.Maint: judge.Maint, orders.Weigh: judge.Weigh,
	}
	return judge.Order{Kind: kinds[o.Kind], Weight: uint32(o.Weight)}
}
