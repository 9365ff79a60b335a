package lvs

import (
	"maps"
	"net/netip"
	"slices"
	"sort"
)

// Dests are the destinations of a virtual service, in the order of their addresses.
type Dests []Dest

// DestsOf returns destinations in the order of their addresses.
func DestsOf(all map[netip.AddrPort]Dest) Dests {
	dests := slices.AppendSeq(make(Dests, 0, len(all)), maps.Values(all))
	slices.SortFunc(dests, func(a, b Dest) int { return a.Addr.Compare(b.Addr) })
	return dests
}

// find returns the index of the destination with the given address, or the index at which it would be inserted.
func (all Dests) find(addr netip.AddrPort) (at int, in bool) {
	return sort.Find(len(all), func(i int) int { return addr.Compare(all[i].Addr) }) // copies no destination
}

// At returns the destination with the given address, and whether there is one.
func (all Dests) At(addr netip.AddrPort) (d Dest, in bool) {
	at, in := all.find(addr)
	if in {
		d = all[at]
	}
	return d, in
}

// Weight returns the weight of the destination with the given address; 0 if there is none.
func (all Dests) Weight(addr netip.AddrPort) uint32 {
	if at, in := all.find(addr); in {
		return all[at].Weight
	}
	return 0
}

// Put adds a destination, or replaces the one with the same address.
func (all *Dests) Put(d Dest) {
	at, in := all.find(d.Addr)
	if !in {
		*all = slices.Insert(*all, at, d)
	}
	(*all)[at] = d
}

// Remove removes the destination with the given address, if there is one.
func (all *Dests) Remove(addr netip.AddrPort) {
	if at, in := all.find(addr); in {
		*all = slices.Delete(*all, at, at+1)
	}
}

// Serve reports whether any destination gets new connections.
func (all Dests) Serve() bool {
	return slices.ContainsFunc(all, func(d Dest) bool { return d.Weight > 0 })
}
