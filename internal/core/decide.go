package core

import (
	"slices"
	"time"

	"ldirectord/internal/judge"
	"ldirectord/internal/lvs"
	"ldirectord/internal/notify"
)

// decide applies judge's rules to a virtual service and adopts the new state. It reports the conditions that have begun
// or ended, and notes when time alone may change the decision. It does not change the table.
func (w *writer) decide(v *virtual) judge.Decision {
	w.countRerouted(v)
	now, obeyed := w.tell.now(), v.Obeys
	decision := judge.Decide(v.Case, now)
	next := &judge.Case{Section: v.Case.Section, State: decision.State}
	v.moves, v.lasts = false, decision.Again
	for i, s := range v.members() {
		was, is := v.Seen(s.Server, now), next.Seen(&next.Servers[i], now)
		if is.One.Name != s.Name {
			s.before, s.lasted = s.Name, uint32(is.One.Since.Sub(s.Since).Round(time.Second)/time.Second)
		}
		v.moves = v.moves || is.Moves()
		s.steps = s.steps || was.Moves() || is.Moves()
	}
	if v.rules = decision.Others; v.moves {
		decision.Again = together(decision.Again)
	}
	v.wakeAt(decision.Again)
	departures := v.Departing
	if v.Adopt(decision.State); !slices.Equal(v.Departing, departures) {
		v.depart(v.servers)
		w.left = true
	}
	w.movers.note(v)
	if v.IsOurs() { // otherwise this director holds no server
		v.held = nil
		for _, i := range decision.Held {
			v.held = append(v.held, v.all[i])
		}
	}
	for _, s := range v.fallbackServers() {
		s.Rename(now)
	}
	for _, s := range v.members() {
		w.tell.compare(v, s, v.IsOurs())
	}
	w.tell.remind(v)
	if obeyed && !v.Obeys {
		w.hold.End(lvs.Backend{Virtual: v.Config.ID})
		w.tell.guard(v, notify.GuardObeys, "Guard is in force again", ": every server is up")
	}
	w.tell.compare(v, nil, v.IsOurs() && v.placed)
	return decision
}
