package director

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"time"

	"ldirectord/judge"
	"ldirectord/lvs"
	"ldirectord/notify"
	"ldirectord/orders"
)

// orderOf is the order for a server. It may have been given while resolve was not in the file, or before the server
// moved.
func orderOf(all orders.All, v *virtual, s *server) orders.Order {
	name, other := s.names()
	return cmp.Or(all[lvs.At(v.cfg.ID, name)], all[lvs.At(v.cfg.ID, cmp.Or(other, name))])
}

// clockLook is how often the wall clock is looked at while an order has an end: it may be set.
const clockLook = 10 * time.Second

// Order makes these the orders that hold. It returns when the table was told, which may have refused it, or ctx is
// done.
func (d *Director) Order(ctx context.Context, all orders.All) error {
	return d.orders.submit(ctx, func(ctx context.Context, done chan<- struct{}) {
		d.ordered.replace(all)
		d.ordered.apply()
		d.writer.sync(ctx, nil)
		close(done)
	})
}

// orderBook has the orders that hold, and those that ended.
type orderBook struct {
	*services
	hold orders.All
	over orders.All // that ended here, as long as they are still given
	next time.Time  // when the next one ends; zero: none does

	examiner  *examiner
	announcer *announcer
}

// replace tells which orders are new and which are undone. One that ended here stays so, though the sender may not know
// yet.
func (b *orderBook) replace(all orders.All) {
	maps.DeleteFunc(b.over, func(at lvs.Backend, o orders.Order) bool { return all[at] != o })
	all = maps.Clone(all)
	maps.DeleteFunc(all, func(at lvs.Backend, o orders.Order) bool { return b.over[at] == o })
	before := b.hold
	b.hold = all
	for _, at := range all.Sorted() {
		if o := all[at]; o != before[at] {
			b.say(at, o, notify.Ordered, "Order")
		}
	}
	for _, at := range before.Sorted() {
		if _, holds := all[at]; !holds {
			b.say(at, before[at], notify.Ordered, "Order undone")
		}
	}
}

// end drops the orders that are over, tells so, and notes when the next one ends.
func (b *orderBook) end(now time.Time) {
	b.next = time.Time{}
	for _, at := range b.hold.Sorted() {
		o := b.hold[at]
		end := o.End()
		if o.Ends > 0 { // by the monotonic clock, which can't be set either
			end = now.Add(min(end.Sub(now), clockLook))
		}
		if o.IsOver(now) {
			b.over[at] = o
			b.say(at, o, notify.OrderEnded, "Order ended")
		} else if !end.IsZero() && (b.next.IsZero() || end.Before(b.next)) {
			b.next = end
		}
	}
	b.hold = b.hold.At(now)
}

// say tells what became of an order. Of one that only drains the change of the weight tells enough, of one to obey the
// guard does.
func (b *orderBook) say(at lvs.Backend, o orders.Order, kind notify.Kind, what string) {
	if o.Kind == orders.Obey || o.IsPlain() {
		return
	}
	name := at.Virtual
	for _, v := range b.virtuals {
		if v.cfg.ID == name {
			name = v.label()
		}
	}
	if at.Real != "" {
		name = at.Real + " (" + name + ")"
	}
	text := fmt.Sprintf("%s: %s: %s", what, name, o)
	b.tell.emit(notify.Event{Kind: kind, Virtual: at.Virtual, Real: at.Real, Text: text, Reason: o.Why})
}

// drop ends an order without a word.
func (b *orderBook) drop(at lvs.Backend) {
	b.over[at], b.hold = b.hold[at], maps.Clone(b.hold)
	delete(b.hold, at)
}

// apply carries the orders out that hold now. What is not in the plan is kept for a later one.
func (b *orderBook) apply() {
	b.end(time.Now())
	all := b.hold
	b.announcer.orders, b.announcer.stale = all, true
	for _, v := range b.virtuals {
		b.examiner.obey(v, all[lvs.Backend{Virtual: v.cfg.ID}])
		for _, s := range v.servers {
			if o := orderOf(all, v, s); o != s.ordered() {
				b.tell.ordered(s, o)
				s.order = new(o)
				s.Ordered(decisive(o))
				v.touch()
			}
		}
	}
}

// decisive is what decides of an order for a server.
func decisive(o orders.Order) judge.Order {
	kinds := map[orders.Kind]judge.OrderKind{
		orders.Drain: judge.Drain, orders.Maint: judge.Maint, orders.Weigh: judge.Weigh,
	}
	return judge.Order{Kind: kinds[o.Kind], Weight: uint32(o.Weight)}
}

// ordered is the server's order, zero without one.
func (s *server) ordered() orders.Order {
	if s.order == nil {
		return orders.Order{}
	}
	return *s.order
}

// suspended is what takes the server out for maintenance, a file or an order; "" for none.
func (s *server) suspended() string {
	if s.maintenance == "" && s.ordered().Kind == orders.Maint {
		return s.note()
	}
	return s.maintenance
}

// note is the server's order in words; "" without one, and for one of which the state says all.
func (s *server) note() string {
	if s.Rerouted {
		return "changes to gate, one server at a time, when its connections have ended: " + Carried(s.carries)
	}
	return s.ordered().Remark("order: ")
}
