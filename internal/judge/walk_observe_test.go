package judge

import (
	"time"

	"ldirectord/internal/health"
)

// isNewlyOut reports whether a server was left out by this step.
func (s *step) isNewlyOut(i int) bool {
	return s.to.Servers[i].LeftOut && i < len(s.from.Servers) && !s.from.Servers[i].LeftOut
}

// suspects reports whether a server is suspected long enough to be left out in this step.
func (s *step) suspects(one *Server) bool {
	was := s.before.running(one.Dest.Addr)
	return was != nil && was.Looks == surely
}

// leavesOutOne: a suspected server is left out because of its packets, one at a time, while enough others serve. It
// comes back when its time is over and it passes. After two returns without an answer it needs an order, unless too
// few servers serve.
func leavesOutOne(s *step) string {
	b, w := s.before, s.after
	if !w.has(observed_) || w.dead {
		return ""
	}
	return w.first(func(one *Server) string {
		was, facts := b.running(one.Dest.Addr), &s.to.Servers[one.At]
		serves := s.to.Follows && s.to.ServesIn(facts) && !w.ByHand[one.Dest.Addr]
		switch {
		case one.Suspect && serves && state(one) == health.Up:
			return " is left out, and serves"
		case was == nil || !s.follows():
		case one.Suspect && !was.Suspect && (s.kind != packets || int32(s.a) != one.At) && was.Looks < surely:
			return " is left out, and was not suspected"
		case one.Suspect && !was.Suspect && !enough(s, int(one.At)):
			return " is left out, and no other serves"
		case one.Suspect && !was.Suspect && one.Turn.Sub(instant) < tick:
			return " is left out for no time"
		case s.kind == packets && !one.Suspect && was.Climbs.IsZero() && s.changes(one.Dest.Addr):
			return " changes its place by a suspicion"
		case one.Suspect || !was.Suspect || !serves || !enough(s, int(one.At)) || w.Gathers() || b.Gathers() ||
			s.letsBack() || s.kind == edit:
		case was.Turn.Add(-time.Duration(bit(s.kind == time_)) * tick).After(instant), was.Suspects > 2:
			return " is back early"
		case state(one) != health.Up:
			return " is back, and does not pass"
		}
		return ""
	})
}
