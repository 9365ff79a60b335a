package judge

import (
	"slices"
	"time"

	"ldirectord/checker/health"
	"ldirectord/lab/always"
)

// What is true of weights that climb, counted anew from the facts before and after a step.

// climbsRightly: who comes in while those at full weight have half of the weight climbs, from 1; nobody else begins;
// who climbs continues, unless it is full, goes out, or the others do not serve enough.
func climbsRightly(s *step) string {
	b, m, w := s.from, s.to, s.after
	known := b.Follows || b.Dead || b.Theirs && s.kind == promote
	if !m.Follows {
		return ""
	}
	for one := range w.all() {
		switch i := int(one.At); {
		case !w.sl.has(slow) && !one.Climbs.IsZero():
			return who(one) + " climbs without slowstart"
		case one.Climbs.IsZero() || m.WeightIn(one.Dest.Addr) == climbedPart(one.Climbs, &m.Servers[i]):
		default:
			return who(one) + " climbs, and has not the weight of this moment"
		}
	}
	if !w.sl.has(slow) || !known {
		return ""
	}
	cold := s.isCold()
	for one := range w.all() {
		now := &m.Servers[one.At]
		was, in := s.before.climber(one.Dest.Addr, b)
		if s.kind == promote && in && !one.Climbs.IsZero() {
			return who(one) + " climbs, and served when the director stood by"
		}
		if s.kind == time_ && !was.IsZero() {
			was = was.Add(-tick)
		}
		up := m.IsSure(now, health.Up) && !now.Held && !m.ByHand[now.Dest.Addr] && now.Weight > 1
		climbs, serves := !one.Climbs.IsZero(), m.ServesIn(now)
		full := !was.IsZero() && climbedWeight(was, now.Weight) == now.Weight
		switch {
		case now.Backup && climbs:
			return who(one) + " is a backup server, and climbs"
		case now.Backup:
		case climbs && (!up && now.Verdict != health.Unknown || !serves):
			return who(one) + " climbs, and does not serve by its checks"
		case climbs && cold:
			return who(one) + " climbs, and the others do not serve enough"
		case climbs && in && was.IsZero():
			return who(one) + " was in service, and climbs"
		case climbs && in && !was.Equal(one.Climbs):
			return who(one) + " climbs, and began anew"
		case climbs && !in && m.WeightIn(now.Dest.Addr) != 1:
			return who(one) + " comes in with more than 1"
		case !climbs && !in && serves && up && !cold && !s.before.wasRerouted(one):
			return who(one) + " comes in whole while others serve"
		case !climbs && in && !was.IsZero() && serves && up && !cold && !full:
			return who(one) + " climbed, and does not any more"
		}
	}
	return ""
}

// climbedWeight is the weight of a server that climbs since then.
func climbedWeight(since time.Time, weight uint32) uint32 {
	age := uint32(instant.Sub(since) / tick)
	return max(1, (weight*min(age, 3)+2)/3)
}

// climbedPart is the same of a server that can bear half of its weight, or all.
func climbedPart(since time.Time, o *always.Server) uint32 {
	part := uint32(1 + bit(o.Less > 0))
	age := uint32(instant.Sub(since) / tick)
	return max(1, (o.Weight*min(age, 3)+3*part-1)/(3*part))
}

// climber tells since when the server at an address climbed, and whether it was in service.
func (w *world) climber(addr addrPort, m *always.Moment) (since time.Time, in bool) {
	if s := w.running(addr); s != nil {
		since = s.Climbs
	} else if w.dead {
		since = w.moving[slotOf(addr)].Climbs
	}
	d, _ := m.Table.At(addr)
	return since, d.Weight > 0
}

// running is the server at an address, if a daemon runs.
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

// isCold counts whether those at full weight had less than half of the weight when a step was decided.
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
		passes := o.Verdict == health.Up || o.Verdict == health.Unknown && o.Kept
		if m.MayServe(o) && passes && !o.Held && !o.LeftOut && since.IsZero() && (in || s.after.Servers[i].Rerouted) {
			full += o.Weight
		}
	}
	return 2*full < all || s.before.Cold
}

// stepsInTime: with time alone a weight changes when the decision said so, and it is asked for nothing else.
func stepsInTime(s *step) string {
	if s.kind != time_ || !s.from.Follows || !s.to.Follows || !s.after.sl.has(slow|holddown|paced|pacedOut|timed) {
		return ""
	}
	changes := len(s.after.did) > 0
	if !changes && !s.after.sl.has(slow) {
		return ""
	}
	again := Decide(s.before.Case, instant).Again
	due := !again.IsZero() && !again.After(instant.Add(tick))
	switch {
	case changes && !due:
		return "a weight changes at a time that the decision did not name"
	case !changes && due && !slices.ContainsFunc(s.to.Servers, func(o always.Server) bool { return o.Less > 0 || o.LeftOut }):
		return "it is asked again, and nothing changes"
	}
	return ""
}
