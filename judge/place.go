package judge

import "ldirectord/checker/health"

var drainRule = Rule{"drain", "an operator", true, drained,
	"a drained server has weight 0"}

// drained keeps the connections of a drained server, whatever quiescent is. It does not count as available.
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

var nameRule = Rule{"names", "", false, name,
	"each server's state gets a name, and the time when it began"}

// name notes the state of each server and when that state began.
func name(h *hearing) {
	for s := range h.all() {
		if name := s.StateName(); name != s.Name {
			s.Name, s.Since = name, h.now
		}
	}
}

var downRule = Rule{"down", "checks, maintenance", true, down,
	"a server that is out is removed, or has weight 0 with quiescent, unless onfail decides"}

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

var unknownRule = Rule{"unknown", "checks", true, unknown,
	"a server without a result stays as it is, as does one that is back and waits for others"}

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

var upRule = Rule{"up", "checks", true, up,
	"a server that passes serves with its weight"}

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

var offRule = Rule{"off", "the file", true, unchecked,
	"a server with checktype = off is not in the table"}

// unchecked keeps servers with checktype=off out of the table, unless they were added by hand.
func unchecked(h *hearing) {
	for s := range h.all() {
		if s.Unchecked {
			s.Why = h.by
		}
	}
}
