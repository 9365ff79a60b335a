// Package judge decides: from what is configured of a virtual service and what is known of it, which destinations it
// should have, and why. It is pure. What happens is noted by the methods of Case, which decide nothing; Decide applies
// the rules, one after the other. Time is an argument. Nothing else decides what is in the table.
package judge

import (
	"cmp"
	"net/netip"
	"slices"
	"time"

	"ldirectord/checker/health"
	"ldirectord/lvs"
)

// Section is what is configured of one virtual service. It is never changed: a reload makes another one.
type Section struct {
	Members  []*Member // real servers, in the order of the file
	Waiting  []uint32  // the weights of servers whose names have no address yet
	Fallback lvs.Dest  // the fallback server; invalid address: none
	Rule     health.Rule
	lvs.Policy
	DrainTime  time.Duration // 0: a server that leaves is removed at once
	Announce   bool          // its addresses are announced
	Readd      bool          // readdquiescent
	NoFallback bool          // the fallback server never serves: checktype=off, and the section has none of its own

	byAddr []int32 // members in the order of their addresses
}

// Member is what is configured of one real server.
type Member struct {
	Dest lvs.Dest // in the table, while it serves
	At   int32    // its place among the members
	// MovedTo is the server at the new address of the name that this one had; -1: this one is of the file.
	MovedTo   int32
	Unchecked bool // checktype=off: it is never in
}

// Index makes At work, once all members are there.
func (s *Section) Index() {
	s.byAddr = make([]int32, len(s.Members))
	for i := range s.byAddr {
		s.byAddr[i] = int32(i)
	}
	slices.SortStableFunc(s.byAddr, func(a, b int32) int {
		return s.Members[a].Dest.Addr.Compare(s.Members[b].Dest.Addr)
	})
}

// AllAt are the members at an address of the table, in the order of the file: one, or several that share the entry.
func (s *Section) AllAt(addr netip.AddrPort) []int32 {
	first, _ := slices.BinarySearchFunc(s.byAddr, addr,
		func(i int32, a netip.AddrPort) int { return s.Members[i].Dest.Addr.Compare(a) })
	end := first
	for end < len(s.byAddr) && s.Members[s.byAddr[end]].Dest.Addr == addr {
		end++
	}
	return s.byAddr[first:end]
}

// hasFallback reports whether there is a fallback server.
func (s *Section) hasFallback() bool { return s.Fallback.Addr.IsValid() }

// Order is what an operator makes of a real server.
type Order struct {
	Kind   OrderKind
	Weight uint32 // of Weigh, 1 or more
}

// OrderKind is the kind of an order.
type OrderKind uint8

// The orders. None is a server's without one.
const (
	None  OrderKind = iota
	Drain           // weight 0
	Maint           // out
	Weigh           // another weight than in the file
)

// Loss says how a check failed. A server with the least loss is the first that checks take out: what can't be reached
// goes first, what answers wrongly last.
type Loss uint8

// The losses.
const (
	NotReached Loss = iota
	NoAnswer
	WrongAnswer
)

// less orders servers that fail: which is taken out first.
func less(a, b *Server) int {
	return cmp.Or(cmp.Compare(a.loss(), b.loss()), a.Since.Compare(b.Since))
}
