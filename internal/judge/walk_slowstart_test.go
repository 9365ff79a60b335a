package judge

import (
	"slices"
	"time"

	"ldirectord/internal/health"
	"ldirectord/internal/lab/always"
)

// These predicates compute climbing weights anew, from the facts before and after a step.

// climbsRightly: a server that comes in while those at full weight have half of the weight climbs from 1, and no other
// one begins. It continues to climb until it is full, goes out, or the others no longer serve enough.
func climbsRightly(s *step) string {
	b, m, w := s.from, s.to, s.after
	known := b.Follows || b.Dead || b.Taken && s.kind == promote
	if !m.Follows {
		return ""
	}
	wrong := w.first(func(one *Server) string {
		now := &m.Servers[one.At]
		weight := climbed(one.Climbs, now.Weight, 1+bit(now.Less > 0))
		switch {
		case !w.has(slow) && !one.Climbs.IsZero():
			return " climbs without slowstart"
		case one.Climbs.IsZero() || m.WeightIn(one.Dest.Addr) == weight:
			return ""
		}
		return " climbs, and doesn't have the weight of this moment"
	})
	if wrong != "" || !w.has(slow) || !known {
		return wrong
	}
	cold := s.isCold()
	return w.first(func(one *Server) string {
		now := &m.Servers[one.At]
		was, in := s.before.climber(one.Dest.Addr, b)
		if s.kind == promote && in && !one.Climbs.IsZero() {
			return " climbs, and served while the director was a standby"
		}
		if s.kind == time_ && !was.IsZero() {
			was = was.Add(-tick)
		}
		up := m.IsSure(now, health.Up) && !now.Held && !m.ByHand[now.Dest.Addr] && now.Weight > 1
		climbs, serves := !one.Climbs.IsZero(), m.ServesIn(now)
		full := !was.IsZero() && climbed(was, now.Weight, 1) == now.Weight
		switch {
		case now.Backup && climbs:
			return " is a backup server, and climbs"
		case now.Backup:
		case climbs && (!up && now.Health != health.Unknown || !serves):
			return " climbs, and does not serve by its checks"
		case climbs && cold:
			return " climbs, and the others do not serve enough"
		case climbs && in && was.IsZero():
			return " was in service, and climbs"
		case climbs && in && !was.Equal(one.Climbs):
			return " climbs, and its climb began anew"
		case climbs && !in && m.WeightIn(now.Dest.Addr) != 1:
			return " comes in with more than 1"
		case !climbs && !in && serves && up && !cold && !s.before.wasRerouted(one):
			return " comes in with its full weight while others serve"
		case !climbs && in && !was.IsZero() && serves && up && !cold && !full:
			return " no longer climbs before its weight is full"
		}
		return ""
	})
}

// climbed is the weight of a server that has climbed since a time, and can bear all of its weight (one part) or half of
// it (two).
func climbed(since time.Time, weight uint32, parts int) uint32 {
	age, all := uint32(instant.Sub(since)/tick), uint32(3*parts)
	return max(1, (weight*min(age, 3)+all-1)/all)
}

// climber returns since when the server at an address climbs, and whether it is in service.
func (w *world) climber(addr addrPort, m *always.Moment) (since time.Time, in bool) {
	if s := w.running(addr); s != nil {
		since = s.Climbs
	} else if w.dead {
		since = w.moving[slotOf(addr)].Climbs
	}
	d, _ := m.Table.At(addr)
	return since, d.Weight > 0
}

// running is the server at an address, if a daemon is running.
func (w *world) running(addr addrPort) *Server {
	if w.dead {
		return nil
	}
	return w.At(addr)
}

func (w *world) wasRerouted(one *Server) bool {
	s := w.running(one.Dest.Addr)
	return s != nil && s.Rerouted
}

// isCold reports whether servers at full weight had less than half of the weight when a step was decided.
func (s *step) isCold() bool {
	b, m := s.from, s.to
	full, all := uint32(0), uint32(0)
	for _, weight := range m.Waiting {
		all += weight
	}
	for i := range m.Servers {
		o := &m.Servers[i]
		since, in := s.before.climber(o.Dest.Addr, b)
		if o.Backup {
			continue
		}
		if !o.Former && !o.Gone {
			all += o.Weight
		}
		if m.ByHand[o.Dest.Addr] {
			since = time.Time{}
		}
		passes := o.Health == health.Up || o.Health == health.Unknown && o.Kept
		if m.MayServe(o) && passes && !o.Held && !o.LeftOut && since.IsZero() &&
			(in || s.after.Servers[i].Rerouted) {
			full += o.Weight
		}
	}
	return 2*full < all || s.before.Cold
}

// stepsInTime: with time alone, a weight changes only when the decision named that time, and no decision is made
// without a change.
func stepsInTime(s *step) string {
	if s.kind != time_ || !s.follows() || !s.after.has(slow|holddown|paced|pacedOut|timed) {
		return ""
	}
	changes := len(s.after.did) > 0
	if !changes && !s.after.has(slow) {
		return ""
	}
	again := Decide(s.before.Case, instant).Again
	due := !again.IsZero() && !again.After(instant.Add(tick))
	switch {
	case changes && !due:
		return "a weight changes at a time that the decision did not name"
	case !changes && due && !slices.ContainsFunc(s.to.Servers,
		func(o always.Server) bool { return o.Less > 0 || o.LeftOut }):
		return "the decision named this time, and nothing changes"
	}
	return ""
}
