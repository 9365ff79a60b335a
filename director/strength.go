package director

import (
	"cmp"
	"fmt"
	"slices"

	"ldirectord/checker/health"
	"ldirectord/lvs"
)

// strength is whether enough servers of a virtual service are up, see minservers. Who is held, drained, in maintenance
// or without a weight does not count. With checktype=off those count that somebody put into the table.
type strength struct {
	MinServers
	known  bool // every server had its first result
	serves bool // a server is up or held, or the fallback server is in
	holds  bool // a server is held
}

// MinServers is whether enough servers of a virtual service are up, at one moment.
type MinServers struct {
	Up     int  `json:"up"`     // servers that count
	Needed int  `json:"needed"` // how many of them are enough: LOW, or HIGH once there were fewer
	Enough bool `json:"enough"`
}

// weigh counts them anew.
func (v *virtual) weigh() {
	n := &v.strength
	found, awaited := v.foundServes(), 0
	n.Up, n.holds, n.serves = 0, false, found || v.fallbackIn
	low, high := v.cfg.MinServers.Of(v.weighted())
	if found {
		awaited = len(v.cfg.Waiting)
	}
	for _, s := range v.servers {
		weight, _ := v.weightAt(s.dest.Addr)
		serves := v.serves(s) && (weight > 0 || v.written == nil) || s.first.task == nil && weight > 0
		n.serves = n.serves || serves
		switch {
		case s.weight() == 0, s.drained(), s.suspended() != "":
		case s.isAwaited():
			awaited++
		case s.held:
			n.holds = n.holds || serves
		case serves:
			n.Up++
		}
	}
	if awaited > 0 && v.written != nil { // a reload replaced them, and the old ones serve on
		n.serves = n.serves ||
			slices.ContainsFunc(v.written.Dests, func(d lvs.Dest) bool { return d.Weight > 0 })
	}
	switch {
	case !n.known:
		n.known, n.Enough = awaited == 0, n.Up >= low
	case n.Up >= high:
		n.Enough = true
	case n.Up+awaited < low:
		n.Enough = false
	}
	if n.Needed = low; n.known && !n.Enough {
		n.Needed = high
	}
}

// isAwaited reports whether a check of the server has no result yet. Until then it counts as it did before.
func (s *server) isAwaited() bool {
	for j := &s.first; j != nil; j = j.next {
		if j.check != nil && !j.check.reported {
			return true
		}
	}
	return s.kept && s.state() == health.Unknown
}

// minServers is nil without the directive.
func (v *virtual) minServers() *MinServers {
	if v.cfg.MinServers.Low.N == 0 {
		return nil
	}
	v.weigh()
	return new(v.strength.MinServers)
}

// ability is what its addresses depend on.
func (v *virtual) ability() ability {
	n := &v.strength
	now := ability{owner: v.owner, placed: v.placed, known: n.known, serves: n.serves && v.placed,
		stays: n.Enough || n.holds || v.fallbackIn, gathers: v.gathers()}
	switch {
	case !n.known:
	case !v.placed:
		now.weakness = v.label() + " is not in the table" + cmp.Or(": "+v.refused, "")
	case !n.Enough || !n.serves:
		now.weakness = fmt.Sprintf("%s: %d of %d up, %d needed", v.label(), n.Up, v.size(), n.Needed)
	}
	return now
}
