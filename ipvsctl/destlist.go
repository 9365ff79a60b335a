package ipvsctl

import (
	"maps"
	"net/netip"
	"slices"
)

// DestList is a set of destinations, in the order of their addresses. With a few of them it takes a third of the memory of
// a map.
type DestList []Dest

// ListOf returns the list of a set.
func ListOf(dests map[netip.AddrPort]Dest) DestList {
	l := slices.AppendSeq(make(DestList, 0, len(dests)), maps.Values(dests))
	slices.SortFunc(l, func(a, b Dest) int { return a.Addr.Compare(b.Addr) })
	return l
}

// Map returns the set as a map of its own.
func (l DestList) Map() map[netip.AddrPort]Dest {
	dests := make(map[netip.AddrPort]Dest, len(l))
	for _, d := range l {
		dests[d.Addr] = d
	}
	return dests
}

// find is where an address is, or would be.
func (l DestList) find(addr netip.AddrPort) (at int, in bool) {
	return slices.BinarySearchFunc(l, addr, func(d Dest, addr netip.AddrPort) int { return d.Addr.Compare(addr) })
}

// Get returns the destination of an address, and whether there is one.
func (l DestList) Get(addr netip.AddrPort) (d Dest, in bool) {
	at, in := l.find(addr)
	if in {
		d = l[at]
	}
	return d, in
}

// Put adds a destination, or replaces that of its address.
func (l *DestList) Put(d Dest) {
	at, in := l.find(d.Addr)
	if !in {
		*l = slices.Insert(*l, at, d)
	}
	(*l)[at] = d
}

// Remove removes the destination of an address, if there is one.
func (l *DestList) Remove(addr netip.AddrPort) {
	if at, in := l.find(addr); in {
		*l = slices.Delete(*l, at, at+1)
	}
}
