package judge

import (
	"time"

	"ldirectord/internal/health"
)

// From an operator: a drained server has weight 0.
var drainRule = Rule{"drain", true, drained}

// drained keeps the connections of a server that an order drains, whatever quiescent is. It does not count as
// available. Once it fails, the rule for servers that are down decides, although the order still applies.
func drained(h *hearing) {
	for s := range h.all() {
		if !s.IsDraining() || s.Order.Kind != Drain || h.Rests(s) {
			continue
		}
		s.Why = h.by
		if _, in := h.Have.At(s.Dest.Addr); in || s.State() == health.Up {
			h.member(s, 0)
		}
	}
}

// From –: each server's state gets a name, and the time when it began.
var nameRule = Rule{"names", false, name}

// name notes the state of each server and when that state began.
func name(h *hearing) {
	for s := range h.all() {
		s.Rename(h.now)
	}
}

// Rename gives a server's state its name, and notes when it began.
func (s *Server) Rename(now time.Time) {
	if name := s.StateName(); name != s.Name {
		s.Name, s.Since = name, now
	}
}

// From checks, maintenance: a server that is out is removed, or has weight 0 with quiescent, unless onfail decides.
var downRule = Rule{"down", true, down}

// down takes a server out of service.
func down(h *hearing) {
	for s := range h.all() {
		if s.State() != health.Down || h.Rests(s) {
			continue
		}
		stays, decided := h.stays(s)
		if stays {
			h.member(s, 0)
		}
		if !s.Waits() && !decided { // otherwise the rule that has it wait, or decided, is the reason
			s.Why = h.by
		}
	}
}

// stays reports whether a server that is down has weight 0 in the table, and whether a kind of condition decides that.
// Otherwise it is removed.
func (h *hearing) stays(s *Server) (stays, decided bool) {
	for i := range Kinds {
		if keeps := Kinds[i].keeps; keeps != nil {
			if stays, decided = keeps(h, s); decided {
				return stays, true
			}
		}
	}
	return h.Quiescent, false
}

// outByChecks reports whether nothing but checks keeps a server out: one fails, or failed and it waits to come back.
func outByChecks(s *Server) bool {
	return s.State() == health.Down && !s.Suspended() && !isLeftOut(s)
}

// From checks: a server without a result stays as it is, as does one that is back and waits for others.
var unknownRule = Rule{"unknown", true, unknown}

// unknown leaves the entry of a server as it was found: a new server gets no traffic before its first success, and a
// current one stays until its first failure. Servers that are back and wait for others are treated alike.
func unknown(h *hearing) {
	for s := range h.all() {
		state := s.State()
		if s.IsDraining() || h.Rests(s) || state != health.Unknown && (state != health.Up || !h.Gathers()) {
			continue
		}
		h.unknown = true
		if d, in := h.Have.At(s.Dest.Addr); in {
			h.member(s, min(d.Weight, 1)*h.weight(s))
		}
		if !s.Held { // otherwise the guard decides
			s.Why = h.by
		}
	}
}

// From checks: a server that passes serves with its weight.
var upRule = Rule{"up", true, up}

// up puts servers in service with their weights.
func up(h *hearing) {
	for s := range h.all() {
		if !s.IsUp() || h.Gathers() || h.Rests(s) {
			continue
		}
		h.up = true
		if h.member(s, h.weight(s)); !s.Held && s.Climbs.IsZero() { // otherwise the guard or slowstart decides
			s.Why = h.by
		}
	}
}

// From the file: a server with checktype = off is not in the table.
var offRule = Rule{"off", true, unchecked}

// unchecked keeps servers with checktype=off out of the table, unless they were added by hand.
func unchecked(h *hearing) {
	for s := range h.all() {
		if s.Unchecked {
			s.Why = h.by
		}
	}
}
