// Package judge decides which servers a virtual service should have in the table, with which weights, and why. No other
// package decides that. Decide applies the rules one after the other to the service's configuration and state. Most
// rules are in a file named after their directive or subject, but place.go contains names, drain, down, unknown, up and
// off; return.go, queue and let in; guard.go, leaves and obeyed; observe.go, suspects. Methods of Case, State, Server
// and Check note events. The package does no input or output, and gets the time as an argument.
package judge

import (
	"cmp"
	"net/netip"
	"slices"
	"time"

	"ldirectord/internal/health"
	"ldirectord/internal/lvs"
)

// Section is the configuration of one virtual service. It does not change once it is in force: a reload makes a new
// one.
type Section struct {
	Members   []*Member      // real servers, in the order of the file
	Waiting   []uint32       // the weights of servers whose names have no address yet
	Fallbacks []*Member      // fallback servers
	Marks     []lvs.MarkRule // the rules that give packets its mark
	Rule      health.Rule
	lvs.Policy
	Observe    lvs.Observe   // what happens to a server whose clients get no answers
	DrainTime  time.Duration // 0: a server that leaves the file is removed at once
	Announce   bool          // its addresses are announced
	Readd      bool          // readdquiescent
	Remains    bool          // cleanstop = no
	NoFallback bool          // the fallback server never serves: checktype=off, and no fallback server of its own

	byAddr  []int32 // members in the order of their addresses
	reserve bool    // it has backup servers that are checked
}

// Member is the configuration of one real server or fallback server.
type Member struct {
	Dest lvs.Dest // its destination in the table, with the weight from the file
	At   int32    // its index in Members or Fallbacks
	// MovedTo is the index of the server at the name's new address; -1 if this server has not moved.
	MovedTo   int32
	Unchecked bool         // checktype=off: never added; or a fallback server without fallbackcheck
	Backup    bool         // it serves only while too few others do
	Fallback  bool         // it serves only while no other does
	Comeback  lvs.Comeback // ByOrder here or in the section: it needs an order to come back
}

// Index prepares what AllAt, AllOn and the rule backup need, once all members are known.
func (s *Section) Index() {
	s.byAddr, s.reserve = make([]int32, len(s.Members)), false
	for i, m := range s.Members {
		s.byAddr[i], s.reserve = int32(i), s.reserve || m.Backup && !m.Unchecked
	}
	slices.SortStableFunc(s.byAddr, func(a, b int32) int {
		return s.Members[a].Dest.Addr.Compare(s.Members[b].Dest.Addr)
	})
}

// AllAt returns the indexes of the members at an address of the table, in the order of the file. These members share
// one destination.
func (s *Section) AllAt(addr netip.AddrPort) []int32 {
	return s.from(addr, func(one netip.AddrPort) bool { return one == addr })
}

// AllOn returns the indexes of the members at an address, sorted by port.
func (s *Section) AllOn(addr netip.Addr) []int32 {
	return s.from(netip.AddrPortFrom(addr, 0), func(one netip.AddrPort) bool { return one.Addr() == addr })
}

// from returns the indexes of the members from an address of the table on, up to the first one for which isMeant
// returns false.
func (s *Section) from(addr netip.AddrPort, isMeant func(netip.AddrPort) bool) []int32 {
	first, _ := slices.BinarySearchFunc(s.byAddr, addr,
		func(i int32, a netip.AddrPort) int { return s.Members[i].Dest.Addr.Compare(a) })
	end := first
	for end < len(s.byAddr) && isMeant(s.Members[s.byAddr[end]].Dest.Addr) {
		end++
	}
	return s.byAddr[first:end]
}

// Order is an operator's order for a real server.
type Order struct {
	Kind   OrderKind
	Weight uint32 // for Weigh: 1 or more
}

// OrderKind is what an order requires.
type OrderKind uint8

// The kinds of order. None means that there is no order.
const (
	None  OrderKind = iota
	Drain           // weight 0
	Maint           // out of service
	Weigh           // a weight other than in the file
)

// Loss grades a failure by what clients may lose when the server is removed. Servers with the least loss are removed
// first, so unreachable servers go before servers with wrong answers.
type Loss uint8

// The losses, the least first.
const (
	NotReached Loss = iota
	NoAnswer
	WrongAnswer
	nothingLost // no check fails
)

// less compares held servers by their losses, then by when they began to fail. The smaller one is removed first.
func less(a, b *Server) int {
	return cmp.Or(cmp.Compare(lossOf(a), lossOf(b)), a.Since.Compare(b.Since))
}
