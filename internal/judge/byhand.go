package judge

import (
	"net/netip"

	"ldirectord/internal/health"
	"ldirectord/internal/lvs"
)

// From checks, orders: a change by hand ends with the server's next change of state.
var releaseRule = Rule{"released", true, released}

// From keepserving: a change by hand ends when the guard releases the server.
var releaseAgainRule = Rule{"let go", true, released}

// released ends changes by hand to servers whose state has changed. It also ends those to fallback servers when a
// fallback server becomes necessary or is no longer necessary. It is applied before guard, so that guard counts the
// servers without those changes, and again after guard has released servers. A server that was removed by hand and went
// down stays out, unless readdquiescent adds it again.
func released(p *proposal) {
	for s := range p.all() {
		addr := s.Dest.Addr
		if !s.Turned || !p.ByHand[addr] {
			continue
		}
		_, in := p.Have.At(addr)
		if in || p.Readd || s.State() != health.Down {
			delete(p.ByHand, addr)
		}
	}
	if wanted, known := p.fallbackWanted(); known && wanted != p.FallbackWanted {
		for _, m := range p.Fallbacks {
			delete(p.ByHand, m.Dest.Addr)
		}
	}
}

// From another program: a weight that was set by hand stays, and so does an addition or removal by hand.
var byHandRule = Rule{"hand", true, byHand}

// byHand keeps changes made by hand. Of a changed destination, only the weight is kept.
func byHand(p *proposal) {
	for addr := range p.ByHand {
		if d, in := p.Have.At(addr); in {
			p.other(p.AsInFile(d), d.Weight)
		} else {
			delete(p.Places, addr)
		}
		if s := p.At(addr); s != nil {
			s.Why = p.by
		}
	}
}

// AsInFile returns a destination with the settings that the file has for its address, and with its own weight. If a
// real server and a fallback server have that address, the settings are those of the one that serves. The destination
// of a server that has yet to change to gate is returned unchanged.
func (c *Case) AsInFile(d lvs.Dest) lvs.Dest {
	weight, s, fallback := d.Weight, c.At(d.Addr), c.FallbackAt(d.Addr)
	switch {
	case fallback >= 0 && (s == nil || c.FallbackWanted && !s.IsUp()):
		d = c.Fallbacks[fallback].Dest
	case s != nil && !s.Reroutes(d):
		d = s.Dest
	}
	d.Weight = weight
	return d
}

// Changed notes that a destination was added or removed by hand, or got another weight, and reports whether the change
// is kept. If so, it lasts until the server's next change of state or a reload. The change is undone if repair is set,
// if another daemon empties the section, or if the server is in maintenance (a removal then only with readdquiescent),
// but never if the destination is a found one. A change that is kept clears the server's Memory. The argument in
// reports whether the destination exists now.
func (c *Case) Changed(addr netip.AddrPort, in, empties bool) (kept bool) {
	s := c.At(addr)
	keptOut := s != nil && s.Suspended()
	if !c.Found[addr] && (c.Repair || empties || keptOut && (in || c.Readd)) {
		delete(c.ByHand, addr)
		return false
	}
	if c.ByHand == nil {
		c.ByHand = map[netip.AddrPort]bool{}
	}
	c.ByHand[addr] = true
	if s != nil {
		s.Memory = Memory{}
	}
	return true
}

// isOutByHand reports whether a server was taken out of service by hand.
func (s *State) isOutByHand(addr netip.AddrPort) bool {
	return s.ByHand[addr] && s.Have.Weight(addr) == 0 // cheapest test first: this runs for each result
}
