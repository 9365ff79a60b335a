package judge

import (
	"maps"
	"net/netip"
)

// Carry copies the state that survives every reload. If only lists or the addresses of names have changed, CarryTable
// and CarryOrders copy more. Otherwise changes by hand end, the contents of the table are read again, and orders and
// maintenance files are applied again. placed means that the table had the virtual service before the reload, so no
// destinations are added to the found ones. The function old returns a server, given by its index, as it was before the
// reload; nil for a new server. The function check does the same for a check. The indexes of fallback servers follow
// those of all other servers.
func (c *Case) Carry(was *Case, placed bool, old func(i int) *Server, check func(i, k int) *Check) {
	c.Lasting, c.Last, c.Backed = was.Lasting, was.LastKnown(), was.Backed && c.reserve
	if low, _ := c.MinServers.Of(c.Weighted()); c.MinServers != was.MinServers && c.Strength.Up >= low {
		c.Strength.Enough = true // by the new numbers, as at a start
	}
	c.Found = stillFound(c, was, placed)
	for i := range len(c.Servers) + len(c.FallbackServers) {
		s := c.entry(i)
		if before := old(i); before != nil {
			s.Name, s.Since = before.Name, before.Since
			if before.Dest.Addr == s.Dest.Addr && !s.Unchecked {
				s.Held, s.Entered = before.Held, before.Entered
				s.Memory, s.Looks = before.Memory, before.Looks
				s.Kept = s.Entered && was.Serves(before)
			}
		}
		decides := false // before the reload, a check only changed the weight; now it decides about the server
		for k, now := range s.Checks() {
			if before := check(i, k); before != nil {
				decides = decides || before.Part > 0 && now.Part == 0
				line, part, way := now.Line, now.Part, now.Way
				*now = *before
				now.Line, now.Part, now.Way = line, part, way
				if way == nil || before.Way == nil {
					continue
				}
				if *way = *before.Way; !way.Accused.IsZero() {
					c.Paths[line] = was.Paths[before.Line]
				}
			}
		}
		s.Hold(decides && s.Entered)
	}
}

// stillFound returns the found destinations that still belong to no server. Once all servers have an address, there are
// none.
func stillFound(c, was *Case, placed bool) map[netip.AddrPort]bool {
	if len(c.Waiting) == 0 || was.Found == nil && !placed {
		return nil
	}
	found := map[netip.AddrPort]bool{}
	for addr := range was.Found {
		if c.IsNobodys(addr) {
			found[addr] = true
		}
	}
	return found
}

// CarryTable copies the contents of the table and the changes made to it by hand. The sections differ only in servers
// whose names have new addresses, and in servers from lists. Changes by hand to a server that left or changed are
// dropped. If repair is set, those to a found destination are dropped once it is no longer among the found ones.
func (c *Case) CarryTable(was *Case) {
	c.Have, c.Last, c.Known, c.ByHand = was.Have, was.Last, was.Known, maps.Clone(was.ByHand)
	maps.DeleteFunc(c.ByHand, func(addr netip.AddrPort, _ bool) bool {
		old, now := was.At(addr), c.At(addr)
		isOthers := old != nil && (now == nil || now.Dest != old.Dest)
		return isOthers || c.Repair && was.Found[addr] && !c.Found[addr]
	})
}

// CarryOrders copies the order and the maintenance of a server from its state before the reload. The sections differ as
// described at CarryTable.
func (s *Server) CarryOrders(was *Server) {
	s.Order, s.File, s.Turned = was.Order, was.File, was.Turned
}
