package judge

// From a reload: while a server has no result and none serves, servers that left the file still serve.
var replacedRule = Rule{"replaced", true, replaced}

// replaced leaves destinations in service although they are no longer configured. It applies after a reload that
// replaced all servers, until a new server passes a check or all have failed; then draintime begins. It does not apply
// to members: checks and orders have decided about those, even if no other server is left.
func replaced(p *proposal) {
	if !p.unknown || p.serving(true) {
		p.letDrain()
		return
	}
	for _, d := range p.Have {
		_, wanted := p.Places[d.Addr]
		leaver := p.Departure(d.Addr)
		left := len(p.AllAt(d.Addr)) == 0 && (!wanted || leaver != nil)
		if left && d.Weight > 0 {
			p.other(d, d.Weight)
			if leaver != nil {
				leaver.Serves = true
			}
		}
	}
}

// letDrain begins the draintime of the servers that left the file and served until now.
func (p *proposal) letDrain() {
	for i := range p.Departing {
		if l := &p.Departing[i]; l.Serves {
			l.Serves, l.Until = false, p.now.Add(p.DrainTime)
		}
	}
}
