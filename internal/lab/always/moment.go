// Package always contains predicates over plain facts that must hold for every virtual service at every moment.
// docs/measured/walk.md lists them. Only tests import it: the walk of judge checks them in every state, the chaos tests
// of core and lab on a table in memory and in the kernel.
package always

import (
	"net/netip"
	"slices"

	"ldirectord/internal/health"
	"ldirectord/internal/lvs"
)

// Moment is a virtual service at one moment: its configuration, its state, and its part of the table.
type Moment struct {
	Servers     []Server  // real servers, in the order of the file, then those at former addresses
	Waiting     []uint32  // the weights of servers whose names have no address yet
	Fallback    lvs.Dest  // invalid address: none
	NoFallback  bool      // the fallback server never serves
	KeepServing lvs.Share // zero: checks may take out all
	BackupBelow lvs.LowHigh
	Backed      bool // backup servers are in service
	Quiescent   bool
	OnFail      lvs.OnFail // what happens to servers that fail
	Repair      bool       // changes by hand are undone

	Dead     bool      // no daemon is running
	Taken    bool      // another director has the virtual service
	Failed   bool      // the last change of the table failed
	Follows  bool      // the daemon has the virtual service, and knows what is in the table
	Obeys    bool      // an order lets checks take out all servers
	Gathers  bool      // servers that are back wait for others
	Together bool      // the first servers wait for each other
	Table    lvs.Dests // as it is
	Have     lvs.Dests // as the daemon knows it

	ByHand    map[netip.AddrPort]bool // changed by hand, and kept
	Found     map[netip.AddrPort]bool // in the table, of no known server, while some servers have no address
	Departing []Departure
	Passed    []netip.AddrPort // servers that passed or may stay, by the record of the previous daemon
	Call      func(netip.AddrPort) string

	FallbackIn      bool // the fallback server served when the daemon last changed the table
	FallbackTouched bool // the fallback server was changed by hand, even if the daemon does not know yet
}

// Departure is a server that drains because it left the file, or a backup server that drains.
type Departure struct {
	Addr    netip.AddrPort
	Stays   bool // it has connections, and its draintime is not over
	Endless bool // it drains without a limit, as backup servers do without draintime
}

// Server is the state of a real server.
type Server struct {
	Dest      lvs.Dest // as configured
	Weight    uint32   // by order, or as configured
	Former    bool     // it is at a former address of a name
	To        int      // if Former, the server that has the name now
	Unchecked bool
	Health    health.State // by its checks
	Unsure    bool         // the daemon may not know the current state yet
	Touched   bool         // changed by hand, even if the daemon does not know yet
	Drained   bool         // by an order
	Out       bool         // for maintenance
	Connected bool
	Held      bool         // in service by the guard
	Kept      bool         // it was in service before a reload, and nothing has taken it out since
	Climbs    bool         // its weight has been growing since it came into service
	Asks      health.Admin // what it reports, if that counts: drain or maint
	Less      uint32       // how much less than Weight it can bear, by its own report
	Backup    bool         // in service only while too few others are
	Open      bool         // its checks lack results, and none shows that it is down
	Unasked   bool         // none served at the start, and its first checks have not ended; it had not failed
	Lingers   bool         // it fails, and may not go before its turn
	Ends      bool         // if it fails, onfail has removed it by now
	Waits     bool         // checks took it out, it passes, and is not let back in yet
	LeftOut   bool         // observe took it out because its clients got no answers
	Gone      bool         // it moved to another address and no longer counts as a server
}

// Step is one thing that happened, with the moments before and after it.
type Step struct {
	Before, After *Moment
	Cause
}

// Cause is what caused a step.
type Cause uint8

// The causes that predicates tell apart.
const (
	Other   Cause = iota
	Checks        // a result of a check, or another check, and nothing else
	Started       // a daemon started
	Outside       // the table was changed by hand, or it is left to another director
)

// MayServe reports whether only checks can keep a server out of service.
func (m *Moment) MayServe(s *Server) bool {
	return !s.Gone && !s.Unchecked && !s.Out && !s.Drained && (s.Asks == health.NoAdmin || s.Held) && !m.Rests(s)
}

// Rests reports whether a server is a backup server that is not needed.
func (m *Moment) Rests(s *Server) bool { return s.Backup && !m.Backed }

// own counts servers that are not backup servers: up are those that serve, open those whose checks lack results, and
// unsure those whose current state the daemon may not know.
func (m *Moment) own() (up, open, unsure int) {
	for addr := range m.Found {
		up += int(min(m.WeightIn(addr), 1))
	}
	for i := range m.Servers {
		switch s := &m.Servers[i]; {
		case s.Backup, s.Weight == 0:
		case s.Unsure: // whether it may serve is not sure either
			unsure++
		case !m.MayServe(s), s.Waits, m.isByHand(s) && !m.ServesIn(s):
		case s.Former && m.Servers[s.To].Open:
		case s.Open:
			open++
		case s.Health == health.Up && !s.Held && !s.Climbs:
			up++
		}
	}
	return up, open, unsure
}

func (m *Moment) isGood(s *Server) bool {
	return m.MayServe(s) && (s.Health == health.Up || s.Held) && !s.Waits
}

// SomeIsGood reports whether a server serves by its checks, or is held.
func (m *Moment) SomeIsGood() bool {
	return slices.ContainsFunc(m.Servers, func(s Server) bool { return m.isGood(&s) })
}

// WeightIn returns the weight of a destination in the table; 0 if the table does not have it.
func (m *Moment) WeightIn(addr netip.AddrPort) uint32 {
	d, _ := m.Table.At(addr)
	return d.Weight
}

// ServesIn reports whether the table has a server with a weight.
func (m *Moment) ServesIn(s *Server) bool { return m.WeightIn(s.Dest.Addr) > 0 }

// Bears returns the weight that a server can bear by its own report.
func (s *Server) Bears() uint32 { return s.Weight - s.Less }

func (m *Moment) isAsConfigured(s *Server) bool {
	want := s.Dest
	want.Weight = s.Bears()
	got, in := m.Table.At(want.Addr)
	return in && got == want
}

// climbs reports whether a server that passes may have only a part of its weight, because it came in recently.
func (m *Moment) climbs(s *Server) bool {
	got, _ := m.Table.At(s.Dest.Addr)
	return s.Climbs && !s.Held && s.Health == health.Up && got.Forward == s.Dest.Forward &&
		got.Weight > 0 && got.Weight <= s.Weight
}

// changesToGate reports whether connections keep a server from the forwarding method gate.
func (m *Moment) changesToGate(s *Server) bool {
	d, in := m.Table.At(s.Dest.Addr)
	return in && d.Forward != lvs.Route && s.Dest.Forward == lvs.Route && s.Connected
}

// IsUnknown reports whether some server may serve but has no known state, or servers that are back wait for others.
func (m *Moment) IsUnknown() bool {
	for i := range m.Servers {
		if s := &m.Servers[i]; m.MayServe(s) && !s.Held && s.Health == health.Unknown {
			return true
		}
	}
	return m.Gathers
}

// Weighted returns how many servers, except backup servers, have a weight by the file or an order.
func (m *Moment) Weighted() int {
	n := 0
	for _, weight := range m.Waiting {
		n += int(min(weight, 1))
	}
	for i := range m.Servers {
		if s := &m.Servers[i]; !s.Gone && !s.Former && !s.Backup && s.Weight > 0 {
			n++
		}
	}
	return n
}

// IsSure reports whether a server may serve and has this health, and the daemon knows it.
func (m *Moment) IsSure(s *Server, health health.State) bool {
	return !s.Unsure && m.MayServe(s) && s.Health == health
}

func (m *Moment) serverAt(addr netip.AddrPort) *Server {
	for i := range m.Servers {
		if s := &m.Servers[i]; !s.Gone && s.Dest.Addr == addr {
			return s
		}
	}
	return nil
}

// configured returns the server at an address, even if it is gone.
func (m *Moment) configured(addr netip.AddrPort) *Server {
	for i := range m.Servers {
		if s := &m.Servers[i]; s.Dest.Addr == addr {
			return s
		}
	}
	return nil
}

func (m *Moment) departure(addr netip.AddrPort) *Departure {
	for i := range m.Departing {
		if m.Departing[i].Addr == addr {
			return &m.Departing[i]
		}
	}
	return nil
}
