package judge

import "net/netip"

// Carry takes over, at a reload, what was known of the section before. This is the one place that says what a reload
// keeps; it ends overrides, and forgets what the table had. Placed: the director had set the section up, so that what
// it did has owners. Old is the server that one was before, -1 for a new one; check is the check of before that is the
// same as one of now, nil for a new one.
func (c *Case) Carry(was *Case, placed bool, old func(i int) int, check func(i, k int) *Check) {
	c.FallbackIn, c.FallbackWanted = was.FallbackIn, was.FallbackWanted
	c.Obeys, c.Strength, c.Back = was.Obeys, was.Strength, was.Back
	c.Found = stillFound(c, was, placed)
	for i := range c.Servers {
		s := &c.Servers[i]
		if o := old(i); o >= 0 {
			before := &was.Servers[o]
			s.Name, s.Since = before.Name, before.Since
			if before.Dest.Addr == s.Dest.Addr && !s.Unchecked {
				s.Held, s.Entered = before.Held, before.Entered
				s.Kept = s.Entered && was.Serves(before)
			}
		}
		for k, now := range s.Checks() {
			if before := check(i, k); before != nil {
				line, way := now.Line, now.Way
				*now = *before
				now.Line, now.Way = line, way
				if way == nil || before.Way == nil {
					continue
				}
				if *way = *before.Way; !way.Accused.IsZero() {
					c.Brakes[line] = was.Brakes[before.Line]
				}
			}
		}
	}
}

// stillFound is what was found in the table, without what belongs to a server or the fallback now. When all servers
// have an address, the rest goes.
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

// CarryTable takes over what the table has, and what others did to it: the sections differ in nothing but servers
// whose names have got an address. What was found belongs to a server now, or goes: with repair no change of it is
// kept any more.
func (s *State) CarryTable(was *State, repair bool) {
	s.Have, s.Known, s.ByHand = was.Have, was.Known, was.ByHand
	for addr := range was.Found {
		if repair && !s.Found[addr] {
			delete(s.ByHand, addr)
		}
	}
}

// CarryOrders takes over what an operator and others made of the same server, where the sections differ in nothing but
// servers whose names have got an address.
func (s *Server) CarryOrders(was *Server) {
	s.Order, s.File, s.Turned = was.Order, was.File, was.Turned
}
