package judge

import (
	"net/netip"

	"ldirectord/internal/lvs"
)

// Several daemons of one machine may write its table. A virtual service belongs to the daemon that claimed it first.
// The others only check its servers. A director on standby claims nothing.

// Claim records which daemon owns a virtual service.
type Claim struct {
	Owner  string // the other daemon that has it in the table; "": this director has it
	Beside string // the daemon that has it, waits for it, or changes it too; "": none
	LeftIn bool   // this director is on standby, and left it in the table
}

// ActiveDirector is the name given to the owner of the virtual services while this director is on standby.
const ActiveDirector = "the active director"

// IsOurs reports whether this director puts a virtual service into the table. Otherwise it only checks the servers.
func (c *Claim) IsOurs() bool { return c.Owner == "" }

// MayBeIn reports whether this director may have put a virtual service into the table.
func (c *Claim) MayBeIn() bool { return c.IsOurs() || c.LeftIn }

// Keeps reports whether what this director has put into the table for a virtual service may stay there.
func (c *Case) Keeps() bool { return c.IsOurs() || c.Remains }

// Goes reports whether a virtual service is removed from the table when this director stops or is put on standby. It is
// removed if cleanstop is yes and no other daemon waits for it or changes it.
func (c *Case) Goes() bool { return !c.Remains && c.Beside == "" }

// Claims tells which daemon owns which virtual service, according to the record of claims.
type Claims struct {
	Standby bool
	Taken   map[lvs.Key]string // which other daemon has it
	Beside  map[lvs.Key]string // which one has it, waits for it, or changes it too
	// Yielded has a key for each address that checks go through. The value is true if other daemons own all of the
	// address's virtual services that were assigned so far.
	Yielded map[netip.Addr]bool
}

// Wanted returns what this daemon claims: all virtual services of a file, and the timeouts of idle connections if the
// file sets any. On standby it claims nothing.
func (a *Claims) Wanted(all []lvs.Key, timeouts lvs.Timeouts) []lvs.Key {
	switch {
	case a.Standby:
		return nil
	case timeouts != lvs.Timeouts{}:
		return append(all, lvs.TimeoutsKey)
	}
	return all
}

// HasTimeouts reports whether the timeouts of idle connections are this daemon's to set.
func (a *Claims) HasTimeouts() bool { return !a.Standby && a.Taken[lvs.TimeoutsKey] == "" }

// Assign notes which daemon owns a virtual service, and reports whether this director takes it over from another
// daemon. The argument through is the address that its checks go through.
func (a *Claims) Assign(c *Claim, key lvs.Key, through netip.Addr) (gained bool) {
	was, owner := c.Owner, a.Taken[key]
	if all, met := a.Yielded[through]; all || !met {
		a.Yielded[through] = owner != ""
	}
	c.Owner, c.Beside, c.LeftIn = owner, a.Beside[key], c.LeftIn && a.Standby
	if a.Standby {
		c.Owner = ActiveDirector
	}
	return c.IsOurs() && was != "" && was != ActiveDirector
}
