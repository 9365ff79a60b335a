package judge

// From announce: the first servers are added when each has a result, because the order of entries counts.
var togetherRule = Rule{"together", true, together}

// together adds the first servers of an announced section in one step. mh depends on the order of the entries, which
// must be the same on all directors, whichever server answers first. Before that step, nothing is announced. Servers
// that were removed by hand together with the virtual service do not wait: they are added at once.
func together(p *proposal) {
	if !p.Announce || !p.Quiescent || len(p.Have) > 0 {
		return
	}
	awaited, entered := false, false
	for s := range p.all() {
		awaited, entered = awaited || s.isAwaited(), entered || s.Entered
	}
	if !awaited || entered {
		return
	}
	for s := range p.all() {
		s.Why = p.by
	}
	p.over = true
}
