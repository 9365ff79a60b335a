package core

import (
	"cmp"
	"fmt"
	"maps"
	"time"

	"ldirectord/internal/health"
	"ldirectord/internal/history"
	"ldirectord/internal/judge"
	"ldirectord/internal/lvs"
	"ldirectord/internal/notify"
	"ldirectord/internal/orders"
	"ldirectord/internal/plan"
	"ldirectord/internal/view"
)

// clockLook is the longest time between two readings of the wall clock while an order has an end, because someone may
// set the clock.
const clockLook = 10 * time.Second

// Order puts exactly these orders in force, and updates the table. The servers in ready come back without further
// delay, even if they have no order.
func (c *Core) Order(now time.Time, all, ready orders.All) {
	c.tell.tick(now)
	c.ordered.forgive(ready)
	begun, undone := c.hold.Given(all)
	c.ordered.say(begun, notify.Ordered, given)
	c.ordered.say(undone, notify.Ordered, "Order undone")
	c.ordered.apply()
	c.writer.sync(nil)
}

// orderBook puts orders in force.
type orderBook struct {
	*services
	next time.Time // when the next order ends or is looked at again; zero: none has an end

	examiner  *examiner
	announcer *announcer
}

// forgive lets waiting servers back into service.
func (b *orderBook) forgive(ready orders.All) {
	waited := orders.All{}
	for _, v := range b.virtuals {
		for _, s := range v.servers {
			name, _ := s.entry.Names()
			at := lvs.At(v.Config.ID, name)
			if o, is := ready[at]; is && s.Fallen {
				waited[at] = o
				// s.past.Order would leave out an order equal to the last one
				s.past.Do(history.At(b.tell.now()), history.Order, 0, "order: "+o.String())
				s.Forgive()
				v.touch()
			}
		}
	}
	b.say(waited, notify.Ordered, given)
}

// end drops and reports orders whose time is over, and notes when the next one ends.
func (b *orderBook) end(now time.Time) {
	var over orders.All
	ends := map[lvs.Backend]time.Time{}
	for at, o := range b.hold.Held {
		end := o.End()
		if o.Ends > 0 { // by the monotonic clock, which can't be set
			end = now.Add(min(end.Sub(now), clockLook))
		}
		if !o.Until.IsZero() {
			ends[at] = end
		}
	}
	over, b.next = b.hold.Expire(ends, now)
	b.say(over, notify.OrderEnded, "Order ended")
}

const given = "Order" // begins the report of a new order

// say reports what happened to orders. It skips orders that other lines report: plain drains (the weight), plain
// withdrawals (the address) and orders to obey (the guard). A plain order has neither a reason nor an end. For some
// plain drains no line about the weight follows, so they are reported: a new one for a server that is already out, and
// any if this director leaves the virtual service alone. Lost orders are always reported.
func (b *orderBook) say(all orders.All, kind notify.Kind, what string) {
	if len(all) == 0 {
		return
	}
	labels, silent, status := map[string]string{}, map[lvs.Backend]bool{}, map[string]lvs.Status{}
	for _, v := range b.virtuals {
		if labels[v.Config.ID] = v.label(); !v.IsOurs() {
			status[v.Config.ID] = lvs.StatusAside
		}
		for _, s := range v.servers {
			weight, _ := v.weightAt(s.Dest.Addr)
			if v.IsOurs() && (what != given || weight > 0 || s.IsDraining()) {
				continue
			}
			name, other := s.entry.Names()
			silent[lvs.At(v.Config.ID, name)], silent[lvs.At(v.Config.ID, other)] = true, true
		}
	}
	for _, at := range all.Sorted() {
		o := all[at]
		isTold := o.IsPlain() && !(o.Kind == orders.Drain && silent[at])
		if kind != notify.OrderLost && (o.Kind == orders.Obey || isTold) {
			continue
		}
		name := cmp.Or(labels[at.Virtual], at.Virtual)
		if at.Real != "" {
			name = at.Real + " (" + name + ")"
		}
		text := fmt.Sprintf("%s: %s: %s", what, name, o)
		b.tell.emit(notify.Event{Kind: kind, Status: status[at.Virtual], Virtual: at.Virtual, Real: at.Real,
			Text: text, Reason: o.Why})
	}
}

// orphans returns the orders in force whose virtual services or servers are not in the plan.
func (b *orderBook) orphans() orders.All {
	all := maps.Clone(b.hold.Held)
	for _, v := range b.virtuals {
		delete(all, lvs.Backend{Virtual: v.Config.ID})
		for _, s := range v.servers {
			name, other := s.entry.Names()
			delete(all, lvs.At(v.Config.ID, name))
			delete(all, lvs.At(v.Config.ID, other))
		}
	}
	return all
}

// orphaned reports the orders that are orphans now and were not before.
func (b *orderBook) orphaned(were orders.All) {
	all := b.orphans()
	maps.DeleteFunc(all, func(at lvs.Backend, _ orders.Order) bool { _, is := were[at]; return is })
	b.say(all, notify.OrderLost, "Order kept for something no longer in the file")
}

// apply carries out the orders in force. Orders for servers outside the plan are kept for a later plan.
func (b *orderBook) apply() {
	b.end(b.tell.now())
	all := b.hold.Held
	b.announcer.reconsider()
	for _, v := range b.virtuals {
		b.examiner.obey(v, all[lvs.Backend{Virtual: v.Config.ID}])
		for _, s := range v.servers {
			if o := v.OrderOf(all, s.entry); o != s.ordered() {
				b.tell.ordered(s, o)
				s.order = new(o)
				s.Ordered(plan.Decisive(o))
				v.touch()
			}
		}
	}
}

// ordered returns the server's order, or the zero order if there is none.
func (s *server) ordered() orders.Order {
	if s.order == nil {
		return orders.Order{}
	}
	return *s.order
}

// suspended describes what puts the server into maintenance: a file, an order or its own report. It returns "" if
// nothing does.
func (s *server) suspended() string {
	if s.maintenance == "" && s.Suspended() {
		return s.note()
	}
	return s.maintenance // "" for none
}

// note returns the reason, other than failing checks, why the server gets no new connections. For a server that gets
// some, the result may describe an order for its weight.
func (s *server) note() string { return cmp.Or(s.rerouting(), s.asks(), s.command()) }

// rerouting describes what a server waits for before it changes to gate, or returns "" if it is not about to change.
func (s *server) rerouting() string {
	if !s.Rerouted {
		return ""
	}
	return "changes to gate, one server at a time, when its connections have ended: " + view.Carried(s.carries)
}

// command describes the server's order, or returns "" if there is none.
func (s *server) command() string {
	o := s.ordered()
	if o.Kind == "" {
		return ""
	}
	return "order: " + o.Dated()
}

// asks describes the state that the server requests for itself, or returns "" if it requests none, or if an order
// overrides that.
func (s *server) asks() string {
	asks, order := s.Asks(), s.Order.Kind
	if asks <= health.NoAdmin || order == judge.Drain || order == judge.Maint {
		return ""
	}
	return "reports " + asks.String()
}

var (
	reroutedKind = kind{name: "rerouted", trouble: judge.Noted,
		says: func(a *subject) string { return a.s.rerouting() }}
	orderKind = kind{name: "order", trouble: judge.Noted,
		says: func(a *subject) string { return a.s.command() }}
	reportsKind = kind{name: "reports", trouble: judge.Noted,
		says: func(a *subject) string { return a.s.asks() }}
)
