package judge

import (
	"cmp"

	"ldirectord/lvs"
)

// With holddown, a server that fails again soon after its return stays out, for longer each time.

var holddownRule = Rule{"held down", "holddown", false, heldDown,
	"a server that fails again soon after its return stays out, longer each time"}

var holddownAgainRule = Rule{"counted", "holddown", false, heldDown,
	"the failure of a server that the rules before took out counts"}

const maxReturns = 2 // of a server whose clients get no answers; after that only an order lets it back in

// NeedsOrder reports whether a server that was left out comes back only by an order, unless too few others serve.
func NeedsOrder(s *Server) bool { return s.Suspect && s.Suspects > maxReturns }

// heldDown notes how long servers that left service stay out. After long enough without a failure, the failures of a
// server are forgotten.
func heldDown(h *hearing) {
	for s := range h.all() {
		if s.Fallen {
			h.count(s)
		} else if s.Suspects == 0 && !h.now.Before(s.Turn.Add(max(h.HoldDownMax, h.Pace.Every))) {
			s.Forgive()
		}
		if s.Waits() && h.isHeldDown(s) {
			s.Why = cmp.Or(s.Why, h.by)
			h.askAgain(s.Turn)
		}
	}
}

// count counts the failure by which a server left service, once.
func (h *hearing) count(s *Server) {
	if !s.Fallen || s.Noted {
		return
	}
	returned := s.Turn
	if s.Noted, s.Turn = true, h.now; !h.now.Before(returned.Add(h.HoldDownMax)) {
		s.Falls, s.FellFirst = 1, uint32(h.now.Unix())
		if !s.Suspect { // its checks pass, so it would be back at once
			return
		}
	}
	out := h.HoldDown
	for range s.Falls - 1 {
		out = min(2*out, h.HoldDownMax)
	}
	s.Turn, s.Falls = h.now.Add(out), max(s.Falls, s.Falls+1)
}

func (h *hearing) isHeldDown(s *Server) bool {
	return h.HoldDown > 0 && (h.now.Before(s.Turn) || h.Observe == lvs.LeftOut && NeedsOrder(s))
}
