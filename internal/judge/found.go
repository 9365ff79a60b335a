package judge

// From a host name: destinations that belong to no known server stay while a server has no address.
var foundRule = Rule{"found", true, found}

// found leaves destinations that belong to no known server as they are.
func found(p *proposal) {
	for addr := range p.Found {
		if d, in := p.Have.At(addr); in {
			p.other(d, d.Weight)
			p.up = p.up || d.Weight > 0
		}
	}
}

// foundServes reports whether a found destination has a weight in the table as last known.
func (s *State) foundServes() bool {
	for addr := range s.Found {
		if s.LastKnown().Weight(addr) > 0 {
			return true
		}
	}
	return false
}
