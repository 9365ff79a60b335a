package judge

// From announce: with quiescent, the first servers are added once all have results, because their order matters.
var togetherRule = Rule{"together", true, together}

// together adds the first servers of an announced section with quiescent in one step. mh depends on the order of the
// destinations, which must be the same on all directors, whichever server answers first. Before that step, nothing is
// announced. If the virtual service was removed by hand, its servers do not wait: they are added at once.
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
