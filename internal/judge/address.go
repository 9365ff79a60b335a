package judge

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"ldirectord/internal/lvs"
)

// An address with announce is on a device while its virtual services can be served here; a routing daemon then
// announces it. This file decides on which device the address belongs, and how long its packets are still served after
// it is withdrawn.

// Moving is the longest time that it may take to put an address on a device.
const Moving = 5 * time.Second

// Address records where an announced address is, and where it belongs.
type Address struct {
	Device, Last string    // the devices of announce and lastresort
	Asked        bool      // checks go through it, and wait until there is a route to it
	RouteBy      time.Time // the first checks through it wait until then for its local route; zero: they don't

	Known bool   // it is known where the address is
	At    string // the device that it is on; "" for none
	Fails bool   // it could not be put where it should be

	Decided bool // the first results of its servers have arrived once
	Want    lvs.Wanted
	Why     string // the reason not to announce it, even if it is announced; "": none
	Owner   string // the other daemon that has all its virtual services; "": none
	Order   string // why it is withdrawn; "": it is not
	// the start of the time for which it is still served after it is withdrawn; zero: it is not withdrawn, or was
	// on no device
	Left time.Time
}

// Host is a virtual service of an announced address.
type Host struct {
	*Case
	Label   string // its name in messages
	Placed  bool   // the table has it, as far as known
	Refused string // why the table does not have it
	Servers int    // how many the file has
	Marked  bool   // packets get its mark, if it needs one
	Known   bool   // it is known whether packets get it
}

// Addressing holds the conditions that affect the decisions about all addresses.
type Addressing struct {
	Stops    bool          // the director stops
	Standby  bool          // the director stands by, or is about to
	Withdraw time.Duration // how long the virtual services of a withdrawn address continue to serve
	Repair   bool
	Fails    bool // addresses can't be put anywhere
	// the reason why this machine cannot serve clients, even with healthy servers; "" if it can
	Broken string
}

// Place decides where an address belongs. hosts are its virtual services (none if it left the file), and order
// describes the order that withdraws it, if any. Place returns the next time at which the decision may change by
// itself; zero if there is none. A withdrawn address first moves to the device of lastresort, if it has one, and is
// then taken off every device. This machine accepts packets to the address as long as one of the virtual services has a
// server in service or, until the address is withdrawn, checks go through it.
func (a *Address) Place(hosts []Host, order string, all Addressing, now time.Time) (again time.Time) {
	device, why, serves := a.belongs(hosts, all.Broken)
	want := lvs.Wanted{Addr: a.Want.Addr, Device: device, Local: serves, Undecided: !a.Decided || !a.Known,
		Repair: all.Repair}
	if len(hosts) == 0 {
		want.Local = a.Want.Local
	}
	if a.Order = a.withdrawal(hosts, order, all); a.Order == "" {
		a.Left = time.Time{}
		want.Local = want.Local || a.Asked
	} else {
		want.Device, want.Undecided, why = "", !a.Known, a.Order
		if a.Left.IsZero() && a.At != "" {
			a.Left = now
		}
		if until := a.Left.Add(all.Withdraw); now.Before(until) {
			again = until
			if a.At != "" && want.Local {
				want.Device = a.Last
			}
		}
	}
	for _, device := range []string{a.Device, a.Last, a.At} {
		if device != "" && !slices.Contains(want.Devices, device) {
			want.Devices = append(want.Devices, device)
		}
	}
	if now.Before(a.RouteBy) && want.Local && !all.Fails && !a.Fails {
		if again.IsZero() || a.RouteBy.Before(again) {
			again = a.RouteBy
		}
	} else {
		a.RouteBy = time.Time{}
	}
	a.Want, a.Why = want, why
	return again
}

// belongs returns the device where an address with these virtual services belongs. If that is not the device of
// announce, why is the reason. serves reports whether one of its virtual services has a server in service. If broken is
// set, no virtual service counts as healthy.
func (a *Address) belongs(hosts []Host, broken string) (device, why string, serves bool) {
	stays, awaited, decided, gathers := false, false, false, false
	waits := "waits for the first results"
	why = broken
	a.Owner = ""
	for k, h := range hosts {
		gathers = gathers || h.Gathers()
		if k == 0 || h.Owner == "" { // the owner of the first virtual service, unless this director owns any
			a.Owner = h.Owner
		}
		if h.Owner != "" {
			continue
		}
		in := h.Marked && h.Strength.Serves && h.Placed
		serves = serves || in
		if !h.Strength.Known {
			awaited = true
			continue
		}
		if !h.Known && h.Placed && h.Strength.Enough && h.Strength.Serves {
			awaited, waits = true, "it is not known whether packets get the mark of "+h.Label
			continue
		}
		decided = true
		why = cmp.Or(why, h.weakness())
		stays = stays || broken == "" && in && (h.Strength.Enough || h.Strength.Holds || h.FallbackIn)
	}
	if a.At != a.Device && gathers {
		if serves {
			device = a.At
		}
		return device, "waits for results of the servers that are back", serves
	}
	switch { // a virtual service that a reload added counts from its first results
	case awaited && !a.Decided, !decided:
		return "", waits, serves
	case why == "", a.Last == "" && stays:
		device = a.Device
	case serves:
		device = a.Last
	}
	a.Decided = true
	return device, why, serves
}

// weakness returns the reason why the addresses of a virtual service should not be announced here; "" while it is
// healthy.
func (h *Host) weakness() string {
	switch n := &h.Strength; {
	case !h.Placed && h.Refused != "":
		return h.Label + " is not in the table: " + h.Refused
	case !h.Placed:
		return h.Label + " is not in the table"
	case !n.Enough || !n.Serves:
		return fmt.Sprintf("%s: %d of %d up, %d needed", h.Label, n.Up, h.Servers, n.Needed)
	case !h.Marked:
		return "the mark rules of " + h.Label + " are not set"
	}
	return ""
}

// withdrawal returns the reason why an address is withdrawn; "" while it is not.
func (a *Address) withdrawal(hosts []Host, order string, all Addressing) string {
	cleans := func(h Host) bool { return !h.Remains }
	switch {
	case len(hosts) == 0:
		return "it left the file"
	case all.Stops && slices.ContainsFunc(hosts, cleans):
		return "the director stops"
	case all.Standby:
		return "the director stands by"
	case a.Owner != "":
		return "belongs to " + a.Owner
	}
	return order
}

// IsOrdered reports whether this director puts the address where it belongs, see Ordered. Otherwise it leaves the
// address to its owner.
func (a *Address) IsOrdered() bool { return a.Owner == "" || !a.Known || a.At != "" || a.Want.Local }

// Ordered returns the order that puts an address where it belongs. The address stays where it is until its servers have
// their first results, and until it is known where it is.
func (a *Address) Ordered() lvs.Wanted {
	want := a.Want
	if want.Undecided {
		want.Device, want.Local = "", want.Local && a.Asked
	}
	return want
}

// IsGone reports whether a withdrawn address is on no device and its packets need no longer be served.
func (a *Address) IsGone(all Addressing, now time.Time) bool {
	return a.Known && a.At == "" && !now.Before(a.Left.Add(all.Withdraw))
}

// Lingers reports whether an address that left the file, or was withdrawn by a director on standby, still has to be
// served or taken off its device. busy means that an order is due or in progress.
func (a *Address) Lingers(busy bool, all Addressing, now time.Time) bool {
	if !a.Left.IsZero() && now.After(a.Left.Add(all.Withdraw+Moving)) { // withdrawing it has failed
		return false
	}
	return busy || a.Want.Device != "" || !a.IsGone(all, now)
}

// Found notes where an address is, and reports whether it has moved. The first place where it is found does not count
// as a move. If it is first found on no device and without a local route, no packets arrive for it, so it need not be
// served after a withdrawal. The time for which a withdrawn address is served begins again when it leaves the device of
// announce.
func (a *Address) Found(at string, local bool, now time.Time) (moved bool) {
	was, known := a.At, a.Known
	a.At, a.Known = at, true
	if local {
		a.RouteBy = time.Time{}
	} else if at == "" && !known {
		a.Left = time.Time{}
	}
	if moved = known && was != at; moved && !a.Left.IsZero() && was == a.Device {
		a.Left = now
	}
	return moved
}

// State describes in a word or two where an address is.
func (a *Address) State() string {
	switch a.At {
	case "":
		return "withdrawn"
	case a.Last:
		return "last resort"
	default:
		return "announced"
	}
}

// IsThere reports whether an address is on the device of announce.
func (a *Address) IsThere() bool { return a.At == a.Device }
