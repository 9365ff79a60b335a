package judge

import (
	"slices"

	"ldirectord/internal/health"
	"ldirectord/internal/lab/always"
	"ldirectord/internal/lvs"
)

// look returns a moment of the world, for predicates that need only facts.
func (w *world) look(m *always.Moment) *always.Moment {
	*m = always.Moment{
		Servers: m.Servers[:0], Departing: m.Departing[:0], Passed: m.Passed[:0], Call: callAddr,
		Dead: w.dead, Taken: !w.IsOurs(), Failed: w.failed, Follows: w.serves(), Obeys: w.obey,
		Gathers: w.Gathers(), Table: w.table, Have: w.Have, ByHand: w.ByHand, Found: w.Found,
		Waiting: w.Waiting, Fallback: w.sorry(), NoFallback: w.NoFallback, KeepServing: w.KeepServing,
		BackupBelow: w.BackupBelow, Backed: w.Backed, Quiescent: w.Quiescent, OnFail: w.OnFail,
		Repair: w.Repair, FallbackIn: w.FallbackIn,
		FallbackTouched: w.touched(addrs[sorry]),
	}
	for slot, r := range w.left {
		if r.listed {
			m.Passed = append(m.Passed, addrs[slot])
		}
	}
	if w.dead {
		return m
	}
	m.Together = w.comesTogether()
	for i := range w.Servers {
		s := &w.Servers[i]
		server := w.cfg.server[i]
		order := w.orders[server]
		weight := s.Dest.Weight
		if order.Kind == Weigh {
			weight = orderedWeight
		}
		m.Servers = append(m.Servers, always.Server{
			Dest: s.Dest, Weight: weight, Unchecked: s.Unchecked, Former: s.MovedTo >= 0,
			To:     int(max(0, s.MovedTo)),
			Health: state(s), Drained: order.Kind == Drain, Out: w.files[server] || order.Kind == Maint,
			Connected: s.Connected, Held: s.Held, Kept: s.Kept, Gone: s.Gone,
			Lingers: w.lingers() && !w.obey && answers(s), Touched: w.touched(s.Dest.Addr),
			Asks: asks(s), Less: weight - bears(s, weight),
			LeftOut: s.Suspect, Climbs: !s.Climbs.IsZero(), Backup: s.Backup, Ends: w.ends(s),
			Open:    state(s) == health.Unknown || state(s) == health.Up && isPending(*s),
			Unasked: w.Starts && isPending(*s) && !s.Fallen,
			Waits: s.Fallen && !s.Backup && asks(s) == health.NoAdmin && state(s) == health.Up &&
				weight > 0 && order.Kind != Drain && order.Kind != Maint &&
				!w.files[server],
		})
	}
	for _, l := range w.Departing {
		stays := w.conns[slotOf(l.Addr)] && (l.Until.IsZero() || l.Until.After(instant) || l.Serves) &&
			l.Over == Stays
		m.Departing = append(m.Departing, always.Departure{Addr: l.Addr, Stays: stays,
			Endless: l.Until.IsZero()})
	}
	return m
}

// These are facts of a server, computed without the rules.

func state(s *Server) health.State {
	all := health.Up
	for _, check := range s.Checks() {
		switch {
		case check.Part > 0: // it only weighs
		case check.Health.State == health.Down:
			return health.Down
		case check.Health.State == health.Unknown:
			all = health.Unknown
		}
	}
	return all
}

// asks is the word in a server's answer that counts. Weight 0 counts as drain.
func asks(s *Server) health.Admin {
	if reported := s.First.Telling.Words; reported.Less < 100 {
		return reported.Admin
	}
	return health.Drain
}

// bears is the weight that a server can bear: each of two checks may halve it; rounded up.
func bears(s *Server, weight uint32) uint32 {
	parts := uint32(1)
	if s.First.Telling.Less == 50 {
		parts *= 2
	}
	if len(s.More) > 0 && s.More[0].Part == 50 && s.More[0].Health.State == health.Down {
		parts *= 2
	}
	return (weight + parts - 1) / parts
}

func (w *world) comesTogether() bool {
	return w.Announce && w.Quiescent && len(w.Have) == 0 && slices.ContainsFunc(w.Servers, isPending) &&
		!slices.ContainsFunc(w.Servers, func(s Server) bool { return s.Entered })
}

func isPending(s Server) bool {
	pending := func(c Check) bool { return c.Pending && c.Part == 0 }
	return !s.Gone && (pending(s.First) || slices.ContainsFunc(s.More, pending))
}

// serves reports whether the director is responsible for the section, and knows its table as it is.
func (w *world) serves() bool {
	return !w.dead && w.IsOurs() && !w.failed && w.Known && w.there && slices.Equal(w.Have, w.table)
}

// touched reports whether a destination was changed by hand, and the director keeps that or has not seen it.
func (w *world) touched(addr addrPort) bool {
	return w.ByHand[addr] || differs(w.Have, w.table, addr)
}

func callAddr(a addrPort) string { return slotNames[slotOf(a)] }

// cause is the kind of event, as the predicates of package always distinguish it.
func (e event) cause() always.Cause {
	switch {
	case e.kind == result, e.kind == edit && e.b == editCheck && e.c == 0:
		return always.Checks
	case e.kind == start:
		return always.Started
	case e.kind == change, e.kind == removal, e.kind == demote:
		return always.Outside
	}
	return always.Other
}

// sorry is the fallback server; zero: there is none.
func (w *world) sorry() (d lvs.Dest) {
	if m := w.fallback(); m != nil {
		d = m.Dest
	}
	return d
}
