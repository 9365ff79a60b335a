package judge

import (
	"fmt"
	"time"

	"ldirectord/internal/health"
)

// With slowstart, the weight of a server that joins others in service climbs: it has no connections, so wlc would give
// it all new ones, and its caches are empty. All servers of a section take their steps at the same whole seconds.

// stride is the shortest time between two steps of a section.
const stride = time.Second

// Ramp returns the part of the weight that a climbing server gets: the time since it began to climb, divided by
// slowstart, both in microseconds.
func (c *Section) Ramp(s *Server, now time.Time) Part {
	if s.Climbs.IsZero() || c.SlowStart == 0 {
		return Part{1, 1}
	}
	age := min(now.Sub(s.Climbs).Truncate(stride), c.SlowStart)
	return Part{uint64(max(age.Microseconds(), 1)), uint64(c.SlowStart.Microseconds())}
}

// From the file: the weight of a server that enters service climbs while others serve.
var slowstartRule = Rule{"slowstart", true, climb}

var slowstartKind = Kind{Name: "slowstart", Share: func(v View) Part { return v.Ramp(v.One, v.Now) },
	Says: func(v View) string {
		ramp := v.Ramp(v.One, v.Now)
		if ramp.Num >= ramp.Den {
			return ""
		}
		return fmt.Sprintf("%d %% after %.0f s of slowstart %v", 100*ramp.Num/ramp.Den,
			v.Now.Sub(v.One.Climbs).Truncate(stride).Seconds(), v.SlowStart.Seconds())
	},
	Count: func(v View) int {
		if v.One.Climbs.IsZero() {
			return 0
		}
		return 1
	},
	Begins: func(v View) Notice {
		return Notice{"climbs", fmt.Sprintf("Weight starts to rise to %d (slowstart)", v.One.Weight()), ""}
	},
	Ends: func(v View) Notice {
		if !v.One.IsUp() || v.One.Held || v.ByHand[v.One.Dest.Addr] {
			return Notice{}
		}
		return Notice{"climbed", "Full weight reached", fmt.Sprintf(": %d", v.One.Weight())}
	},
}

// climb begins and ends the ramps of servers.
func climb(p *proposal) {
	if p.SlowStart == 0 {
		for s := range p.all() {
			s.Climbs = time.Time{}
		}
		return
	}
	cold, beat := p.isCold()
	for s := range p.all() {
		if p.comesIn(s) && !cold {
			s.Climbs = beat
		}
		for other := range p.Sharing(s.Dest.Addr) { // the table has one weight for all of them
			if s.Climbs.IsZero() && s.IsUp() && !s.Held {
				s.Climbs = other.Climbs
			}
		}
		weight := p.Ramp(s, p.now).roundedUp(s.Weight())
		if cold || weight == s.Weight() {
			s.Climbs = time.Time{}
			continue
		}
		s.Why = p.by
		// the last whole second at which the weight is still the same
		over, each := p.SlowStart.Microseconds(), stride.Microseconds()
		seconds, _ := Part{uint64(over), uint64(each) * uint64(s.Weight())}.of(weight)
		p.askAgain(s.Climbs.Add(stride * time.Duration(seconds+1)))
	}
}

// comesIn reports whether a server without a weight in the table gets one now.
func (p *proposal) comesIn(s *Server) bool {
	return s.IsUp() && !s.Backup && p.Serves(s) && !s.Held && !p.ByHand[s.Dest.Addr] && p.isOut(s)
}

// isOut reports whether a server has no weight in the table, for a reason other than its change to gate.
func (p *proposal) isOut(s *Server) bool {
	d, in := p.Have.At(s.Dest.Addr)
	return d.Weight == 0 && !(in && s.Reroutes(d) && s.Connected)
}

// isCold reports whether too few servers serve: those that serve with their full weight have less than half of the
// section's weight. Once cold, a section stays so at least until every server has had a result. isCold also ends the
// ramps of servers that are out, held or changed by hand. A new ramp starts at beat. This is the last whole second of
// another ramp, so that both take their steps together, or now if there is no other ramp.
func (p *proposal) isCold() (cold bool, beat time.Time) {
	full, all, awaited := uint64(0), uint64(0), false
	beat = p.now
	for _, weight := range p.Waiting {
		all += uint64(weight)
	}
	for s := range p.all() {
		out := p.isOut(s)
		if out || s.Backup || s.Held || p.ByHand[s.Dest.Addr] || !p.Serves(s) {
			s.Climbs = time.Time{}
		}
		if s.Backup {
			continue // it enters with its full weight, in place of servers that are out
		}
		awaited = awaited || s.isAwaited()
		if s.MovedTo < 0 {
			all += uint64(s.Weight())
		}
		switch serves := s.State() == health.Up || s.State() == health.Unknown && s.Kept; {
		case !s.Climbs.IsZero():
			beat = s.Climbs.Add(p.now.Sub(s.Climbs).Truncate(stride))
		case serves && !s.Held && !s.Drained() && !out:
			full += uint64(s.Weight())
		}
	}
	cold = 2*full < all || p.Cold
	p.Cold = cold && awaited
	return cold, beat
}
