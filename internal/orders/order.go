// Package orders defines the orders that operators give in addition to the configuration: their kinds, when they end,
// how commands request them, and the file that keeps them. Expire in book.go ends those in force.
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

// Kind is the kind of an order for a real server, a virtual service or an address.
type Kind string

const (
	Drain Kind = "drain"  // no new connections; current ones continue at weight 0
	Maint Kind = "maint"  // out of service, as by a file in maintenancedir
	Weigh Kind = "weight" // another weight than in the file
	Ready Kind = "ready"  // ends the order
	// for a virtual service: until all its servers are up, the checks may remove every one, whatever keepserving,
	// checkvip, paceout and pace say
	Obey Kind = "obey"

	Withdraw Kind = "withdraw" // for an address, or EveryAddress: it is not announced
	Announce Kind = "announce" // for an address, or EveryAddress: ends Withdraw
)

// EveryAddress in an order means all announced addresses.
const EveryAddress = "*"

// ByRoll is the reason that roll gives by default.
const ByRoll = "roll"

// Order is one order from an operator. Times are whole seconds in UTC, so that equal orders compare as equal.
type Order struct {
	Kind   Kind      `json:"order"`
	Weight int       `json:"weight,omitempty"` // of Weigh, 1 or more
	Why    string    `json:"why,omitempty"`
	By     string    `json:"by,omitempty"`   // the user that gave it, if known
	Roll   int       `json:"roll,omitempty"` // the process of the roll that gave it; 0: no roll, or unknown
	Since  time.Time `json:"since,omitzero"`
	From   time.Time `json:"from,omitzero"`  // it waits until this time; zero: it is in force
	Until  time.Time `json:"until,omitzero"` // by the wall clock; zero: never

	// The time since boot when an order with a duration ends, see End. While the order waits, Ends shows only that
	// it has a duration. Boot identifies that boot, in case the file survives a reboot.
	Ends time.Duration `json:"boot_end,omitempty"`
	Boot string        `json:"boot,omitempty"`
}

// What describes only the kind of order, with its weight: "weight 20".
func (o Order) What() string {
	if o.Kind == Weigh {
		return string(o.Kind) + " " + strconv.Itoa(o.Weight)
	}
	return string(o.Kind)
}

// String describes the whole order, in local time: "maint until 2026-11-21 18:00:00 by root: new disk".
func (o Order) String() string { return o.In(time.Local) }

// In describes the whole order like String, with times in the given zone.
func (o Order) In(zone *time.Location) string {
	text := o.What()
	if o.Waits() {
		text += " from " + o.From.In(zone).Format(time.DateTime)
	}
	text += o.expiry(zone)
	if o.By != "" {
		text += " by " + o.By
	}
	if why := o.Reason(); why != "" {
		text += ": " + why
	}
	return text
}

// Dated describes the whole order like String, with the time at which its user gave it.
func (o Order) Dated() string {
	if !o.Since.IsZero() && o.By != "" {
		o.By += o.Since.Local().Format(" since Jan 02 15:04")
	}
	return o.String()
}

// Reason returns the reason for the order, or says that it is left over from a roll that ended.
func (o Order) Reason() string {
	if o.Roll != 0 && unix.Kill(o.Roll, 0) == unix.ESRCH {
		return "a roll that ended"
	}
	return o.Why
}

// Expiry describes the end, in local time: " until 2026-11-21 18:00:00"; "" if it has no end.
func (o Order) Expiry() string { return o.expiry(time.Local) }

func (o Order) expiry(zone *time.Location) string {
	if end := o.End(); !end.IsZero() {
		return " until " + end.In(zone).Format(time.DateTime)
	}
	return ""
}

// Waits reports whether the order is not in force yet.
func (o Order) Waits() bool { return !o.From.IsZero() }

// TakesOut reports whether a server with the order gets no new connections.
func (o Order) TakesOut() bool { return o.Kind == Drain || o.Kind == Maint }

// clockSet is how far the end of an order by the time since boot and its end by the wall clock may differ. If they
// differ by more, the wall clock was set.
const clockSet = 2 * time.Second

// End returns the time, by the wall clock as it is set now, at which the order ends; zero if it never does. An order in
// force that was limited by a duration lasts that long even if the clock is set. All other orders end at Until.
func (o Order) End() time.Time {
	left := o.Ends - runfile.SinceBoot() // read first, so that a pause here ends no order early
	if by := time.Now().Add(left).Sub(o.Until); o.Ends > 0 && !o.Waits() && by.Abs() > clockSet {
		return o.Until.Add(by.Round(time.Second))
	}
	return o.Until
}

// IsOver reports whether the order has ended.
func (o Order) IsOver(now time.Time) bool { return !o.Until.IsZero() && !o.End().After(now) }

// IsPlain reports whether the resulting state, such as drained, tells everything about the order except who gave it.
func (o Order) IsPlain() bool {
	return (o.Kind == Drain || o.Kind == Obey || o.Kind == Withdraw) && o.Why == "" && o.Until.IsZero()
}

// Remark returns the given prefix and the description of the order; "" for no order or a plain one.
func (o Order) Remark(after string) string {
	if o.Kind == "" || o.IsPlain() {
		return ""
	}
	return after + o.String()
}

// All contains the orders in force and the orders that wait, including those for servers that are not in the file now.
// An order for a virtual service or an address has no Real.
type All map[lvs.Backend]Order

// Sorted returns what the orders are for, by virtual service or address, then by name.
func (all All) Sorted() []lvs.Backend {
	return slices.SortedFunc(maps.Keys(all), lvs.Backend.Compare)
}

// without returns a copy that leaves out the orders for which lacks returns true.
func (all All) without(lacks func(Order) bool) All {
	left := All{}
	for at, o := range all {
		if !lacks(o) {
			left[at] = o
		}
	}
	return left
}

// At returns a copy with only the orders that have not ended.
func (all All) At(now time.Time) All {
	return all.without(func(o Order) bool { return o.IsOver(now) })
}

// InForce returns a copy without the orders that wait.
func (all All) InForce() All { return all.without(Order.Waits) }

// Waiting returns a copy with only the orders that wait.
func (all All) Waiting() All { return all.without(func(o Order) bool { return !o.Waits() }) }

// Guarded returns a copy without the orders to obey.
func (all All) Guarded() All { return all.without(func(o Order) bool { return o.Kind == Obey }) }

// Apart returns since or, if a waiting order was given at that time, the next second at which none was. This time
// identifies the orders of one command, which begin together.
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

// Due returns the orders whose time to begin has come, as copies without From. From then on, setting the clock does not
// change how long an order with a duration lasts.
func (all All) Due(now time.Time) All {
	due := All{}
	for at, o := range all {
		if o.Waits() && !o.From.After(now) {
			o.From = time.Time{}
			if o.Ends > 0 {
				o.Ends = runfile.SinceBoot() + o.Until.Sub(now)
			}
			due[at] = o
		}
	}
	return due
}

// Out returns the servers that the orders take out, or will take out once they begin.
func (all All) Out() []lvs.Backend {
	return all.without(func(o Order) bool { return !o.TakesOut() }).Sorted()
}

// Withdrawal returns the order that withdraws an address, or all addresses; the zero Order if there is none.
func (all All) Withdrawal(addr netip.Addr) Order {
	for _, at := range []string{EveryAddress, addr.String()} {
		if o := all[lvs.Backend{Virtual: at}]; o.Kind == Withdraw {
			return o
		}
	}
	return Order{}
}
