// Package orders has what an operator orders beside the file: the kinds of orders, when they end, how commands request
// them, and the file that keeps them.
package orders

import (
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"ldirectord/internal/lvs"
	"ldirectord/internal/runfile"
)

// Kind is the kind of an order for a real server or a virtual service.
type Kind string

const (
	Drain Kind = "drain"  // no new connections; current ones continue at weight 0
	Maint Kind = "maint"  // it is out, as by a file in maintenancedir
	Weigh Kind = "weight" // it has another weight than in the file
	Ready Kind = "ready"  // it has no order
	// of a virtual service: keepserving and checkvip hold no server, until all are up
	Obey Kind = "obey"

	Withdraw Kind = "withdraw" // of an address, or of EveryAddress: it is not announced
	Announce Kind = "announce" // of an address, or of EveryAddress: it has no such order
)

// EveryAddress is what an order to withdraw has in place of one address.
const EveryAddress = "*"

// ByRoll is the reason that roll gives, unless it has another one.
const ByRoll = "roll"

// Order is one order of the operator. Times are whole seconds in UTC, so that equal orders are the same one.
type Order struct {
	Kind   Kind      `json:"order"`
	Weight int       `json:"weight,omitempty"` // of Weigh, 1 or more
	Why    string    `json:"why,omitempty"`
	By     string    `json:"by,omitempty"`   // the user that gave it, where that is known
	Roll   int       `json:"roll,omitempty"` // the process of the roll that gave it; 0: unknown, or no roll did
	Since  time.Time `json:"since,omitzero"`
	From   time.Time `json:"from,omitzero"`  // it waits for this time; zero: it is in force
	Until  time.Time `json:"until,omitzero"` // by the wall clock; zero: never

	// For an order for a time: when it ends since the boot, see End. Its file may outlive that.
	Ends time.Duration `json:"boot_end,omitempty"`
	Boot string        `json:"boot,omitempty"`
}

// What describes the order without its user and reason: "weight 20".
func (o Order) What() string {
	if o.Kind == Weigh {
		return string(o.Kind) + " " + strconv.Itoa(o.Weight)
	}
	return string(o.Kind)
}

// String is the whole order in words, in local time: "maint until 2026-11-21 18:00:00 by root: new disk".
func (o Order) String() string {
	text := o.What()
	if o.Waits() {
		text += " from " + o.From.Local().Format(time.DateTime)
	}
	text += o.Expiry()
	if o.By != "" {
		text += " by " + o.By
	}
	if why := o.Reason(); why != "" {
		text += ": " + why
	}
	return text
}

// Reason is why the order was given. A roll that has ended did not end its order.
func (o Order) Reason() string {
	if o.Roll != 0 && unix.Kill(o.Roll, 0) == unix.ESRCH {
		return "a roll that ended"
	}
	return o.Why
}

// Expiry is the end in words, in local time: " until 2026-11-21 18:00:00"; "" without one.
func (o Order) Expiry() string {
	if end := o.End(); !end.IsZero() {
		return " until " + end.Local().Format(time.DateTime)
	}
	return ""
}

// Waits reports whether the order is not in force yet.
func (o Order) Waits() bool { return !o.From.IsZero() }

// TakesOut reports whether a server with the order gets no new connections.
func (o Order) TakesOut() bool { return o.Kind == Drain || o.Kind == Maint }

// clockSet is more than the difference of two readings of the clocks, unless a clock was set.
const clockSet = 2 * time.Second

// End is when the order ends by the wall clock as it is now. Until itself does not change when the clock is set.
func (o Order) End() time.Time {
	left := o.Ends - runfile.SinceBoot() // first: a pause between the two ends no order early
	if by := time.Now().Add(left).Sub(o.Until); o.Ends > 0 && by.Abs() > clockSet {
		return o.Until.Add(by.Round(time.Second))
	}
	return o.Until
}

// IsOver reports whether the order has ended.
func (o Order) IsOver(now time.Time) bool { return !o.Until.IsZero() && !o.End().After(now) }

// IsPlain reports whether the state shows the order, except who gave it: drained, or an obeying guard.
func (o Order) IsPlain() bool {
	return (o.Kind == Drain || o.Kind == Obey || o.Kind == Withdraw) && o.Why == "" && o.Until.IsZero()
}

// Remark returns the order's reason and end, after a prefix; "" for none.
func (o Order) Remark(after string) string {
	if o.Kind == "" || o.IsPlain() {
		return ""
	}
	return after + o.String()
}

// All are the orders in force, and those that wait, including those for servers that the file does not have now. One
// for a virtual service has no Real.
type All map[lvs.Backend]Order

// Sorted returns the servers with orders, by virtual service, then by name.
func (all All) Sorted() []lvs.Backend {
	return slices.SortedFunc(maps.Keys(all), lvs.Backend.Compare)
}

// without is a copy that lacks some orders.
func (all All) without(lacks func(Order) bool) All {
	left := All{}
	for at, o := range all {
		if !lacks(o) {
			left[at] = o
		}
	}
	return left
}

// At is a copy of the orders that have not ended.
func (all All) At(now time.Time) All {
	return all.without(func(o Order) bool { return o.IsOver(now) })
}

// InForce is a copy without the orders that wait.
func (all All) InForce() All { return all.without(Order.Waits) }

// Waiting is a copy with only the orders that wait.
func (all All) Waiting() All { return all.without(func(o Order) bool { return !o.Waits() }) }

// Apart is a time at or after this one at which no order was given that waits: those of one command, which begin
// together, are known by it.
func (all All) Apart(since time.Time) time.Time {
	taken := map[time.Time]bool{}
	for _, o := range all.Waiting() {
		taken[o.Since] = true
	}
	for taken[since] {
		since = since.Add(time.Second)
	}
	return since
}

// Due are copies of the orders whose time has come, without From.
func (all All) Due(now time.Time) All {
	due := All{}
	for at, o := range all {
		if o.Waits() && !o.From.After(now) {
			o.From = time.Time{}
			due[at] = o
		}
	}
	return due
}

// Out are the servers that the orders take out.
func (all All) Out() (list []lvs.Backend) {
	for _, at := range all.Sorted() {
		if all[at].TakesOut() {
			list = append(list, at)
		}
	}
	return list
}

// Withdrawal is the order that withdraws an address, alone or with all others; the zero Order for none.
func (all All) Withdrawal(addr netip.Addr) Order {
	for _, at := range []string{EveryAddress, addr.String()} {
		if o := all[lvs.Backend{Virtual: at}]; o.Kind == Withdraw {
			return o
		}
	}
	return Order{}
}
