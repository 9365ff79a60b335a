package director

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"time"

	"ldirectord/checker/schedule"
	"ldirectord/judge"
	"ldirectord/notify"
)

// OrderKind is what the operator makes of a real server, or of a virtual service.
type OrderKind string

const (
	Drain OrderKind = "drain"  // no new connections; those it has go on at weight 0
	Maint OrderKind = "maint"  // it is out, as by a file in maintenancedir
	Weigh OrderKind = "weight" // it has another weight than in the file
	Ready OrderKind = "ready"  // it has no order
	// of a virtual service: keepserving and checkvip hold nobody, until every server is up
	Obey OrderKind = "obey"

	Withdraw OrderKind = "withdraw" // of an address, or of EveryAddress: it is not announced
	Announce OrderKind = "announce" // … it has no such order
)

// Order is what the operator ordered beside the file. Times are whole seconds in UTC, so that equal orders are the same
// one.
type Order struct {
	Kind   OrderKind `json:"order"`
	Weight int       `json:"weight,omitempty"` // of Weigh, 1 or more
	Why    string    `json:"why,omitempty"`
	By     string    `json:"by,omitempty"` // the user who gave it, where that is known
	Since  time.Time `json:"since,omitzero"`
	Until  time.Time `json:"until,omitzero"` // by the wall clock; zero: never

	// Of an order for a time: when it ends since the boot, see End. Its file may outlive that.
	Ends time.Duration `json:"boot_end,omitempty"`
	Boot string        `json:"boot,omitempty"`
}

// What is the order without who gave it and why: "weight 20".
func (o Order) What() string {
	if o.Kind == Weigh {
		return string(o.Kind) + " " + strconv.Itoa(o.Weight)
	}
	return string(o.Kind)
}

// String is the whole order in words, in local time: "maint until 2026-11-21 18:00:00 by root: new disk".
func (o Order) String() string {
	text := o.What()
	if end := o.End(); !end.IsZero() {
		text += " until " + end.Local().Format(time.DateTime)
	}
	if o.By != "" {
		text += " by " + o.By
	}
	if o.Why != "" {
		text += ": " + o.Why
	}
	return text
}

// TakesOut reports whether a server with the order gets no new connections.
func (o Order) TakesOut() bool { return o.Kind == Drain || o.Kind == Maint }

// End is when the order ends by the wall clock as it is now. Until is right until somebody sets that.
func (o Order) End() time.Time {
	left := o.Ends - schedule.SinceBoot() // first: who stands still between ends no order early
	if by := time.Now().Add(left).Sub(o.Until); o.Ends > 0 && by.Abs() > clockSet {
		return o.Until.Add(by.Round(time.Second))
	}
	return o.Until
}

// IsOver reports whether the order has ended.
func (o Order) IsOver(now time.Time) bool { return !o.Until.IsZero() && !o.End().After(now) }

// isPlain reports whether there is nothing to tell but what a state says: drained, or that the guard obeys.
func (o Order) isPlain() bool {
	return (o.Kind == Drain || o.Kind == Obey || o.Kind == Withdraw) && o.Why == "" && o.Until.IsZero()
}

// remark is what there is to tell of an order besides, after other words; "" for nothing.
func (o Order) remark(after string) string {
	if o.Kind == "" || o.isPlain() {
		return ""
	}
	return after + o.String()
}

// Orders are all that hold, also those for what the file does not have now. One for a virtual service has no Real.
type Orders map[Backend]Order

// Sorted is what has an order: by virtual service, then by name.
func (all Orders) Sorted() []Backend {
	return slices.SortedFunc(maps.Keys(all), func(a, b Backend) int {
		return cmp.Or(cmp.Compare(a.Virtual, b.Virtual), cmp.Compare(a.Real, b.Real))
	})
}

// At is a copy of the orders that have not ended.
func (all Orders) At(now time.Time) Orders {
	held := Orders{}
	maps.Copy(held, all)
	maps.DeleteFunc(held, func(_ Backend, o Order) bool { return o.IsOver(now) })
	return held
}

// of is the order for a server. It may have been given while resolve was not in the file, or before the server moved.
func (all Orders) of(v *virtual, s *server) Order {
	name, other := s.names()
	return cmp.Or(all[Backend{v.cfg.ID, name}], all[Backend{v.cfg.ID, cmp.Or(other, name)}])
}

// Withdrawal is the order by which an address is not announced, also with all others; the zero Order for none.
func (all Orders) Withdrawal(addr netip.Addr) Order {
	for _, at := range []string{EveryAddress, addr.String()} {
		if o := all[Backend{Virtual: at}]; o.Kind == Withdraw {
			return o
		}
	}
	return Order{}
}

// clockLook is how often the wall clock is looked at while an order has an end: somebody may set it.
const clockLook = 10 * time.Second

// clockSet is more than two readings of the clocks differ by, unless somebody set one.
const clockSet = 2 * time.Second

// Order makes these the orders that hold. It returns when the table was told, which may have refused it, or ctx is
// done.
func (d *Director) Order(ctx context.Context, all Orders) error {
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
	hold Orders
	over Orders    // that ended here, as long as they are still given
	next time.Time // when the next one ends; zero: none does

	examiner  *examiner
	announcer *announcer
}

// replace tells which orders are new and which are undone. One that ended here stays so, though the sender may not know
// yet.
func (b *orderBook) replace(all Orders) {
	maps.DeleteFunc(b.over, func(at Backend, o Order) bool { return all[at] != o })
	all = maps.Clone(all)
	maps.DeleteFunc(all, func(at Backend, o Order) bool { return b.over[at] == o })
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
		if o.Ends > 0 { // by the monotonic clock, which nobody sets either
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
func (b *orderBook) say(at Backend, o Order, kind notify.Kind, what string) {
	if o.Kind == Obey || o.isPlain() {
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
func (b *orderBook) drop(at Backend) {
	b.over[at], b.hold = b.hold[at], maps.Clone(b.hold)
	delete(b.hold, at)
}

// apply carries the orders out that hold now. What is not in the plan is kept for a later one.
func (b *orderBook) apply() {
	b.end(time.Now())
	all := b.hold
	b.announcer.orders, b.announcer.stale = all, true
	for _, v := range b.virtuals {
		b.examiner.obey(v, all[Backend{Virtual: v.cfg.ID}])
		for _, s := range v.servers {
			if o := all.of(v, s); o != s.ordered() {
				b.tell.ordered(s, o)
				s.order = new(o)
				s.Ordered(o.short())
				v.touch()
			}
		}
	}
}

// short is what decides of an order for a server.
func (o Order) short() judge.Order {
	kinds := map[OrderKind]judge.OrderKind{Drain: judge.Drain, Maint: judge.Maint, Weigh: judge.Weigh}
	return judge.Order{Kind: kinds[o.Kind], Weight: uint32(o.Weight)}
}

// ordered is the server's order, zero without one.
func (s *server) ordered() Order {
	if s.order == nil {
		return Order{}
	}
	return *s.order
}

// suspended is what takes the server out for maintenance, a file or an order; "" for none.
func (s *server) suspended() string {
	if s.maintenance == "" && s.ordered().Kind == Maint {
		return s.note()
	}
	return s.maintenance
}

// note is the server's order in words; "" without one, and for one of which the state says all.
func (s *server) note() string {
	if s.Rerouted {
		return "changes to gate, one server at a time, when its connections have ended: " + Carried(s.carries)
	}
	return s.ordered().remark("order: ")
}
