package judge

import (
	"fmt"
	"slices"
	"time"

	"ldirectord/internal/health"
)

// From paceout: checks take out servers at the configured pace, unreachable ones at once.
var paceoutRule = Rule{"removals", false, removals}

var paceoutKind = Kind{Name: "paceout", Trouble: Noted,
	Says: func(v View) string {
		if !v.One.Held || v.One.Until.IsZero() {
			return ""
		}
		return fmt.Sprintf("held for another %v: paceout = %v", v.left(v.One.Until), v.PaceOut)
	},
	Holds: func(v View) string {
		if !v.One.Held || v.One.Until.IsZero() && v.KeepServing.N > 0 {
			return ""
		}
		return "paceout = " + v.PaceOut.String()
	},
}

// removals holds the servers that the guard does not need until it is their turn.
func removals(h *hearing) {
	waiting, each := 0, max(1, h.PaceOut.Of(h.Weighted()))
	h.leave = slices.DeleteFunc(h.leave, func(s *Server) bool {
		if !h.waitsToGo(s) {
			return false
		}
		turn := h.Removals.Since.Add(h.PaceOut.Every * time.Duration(1+waiting/each))
		h.waits(s, turn, turn)
		waiting++
		return true
	})
}

// waitsToGo reports whether a server that checks take out waits for its turn, and counts it if not. A server that
// accepts no connection, or that requests it, is taken out at once.
func (h *hearing) waitsToGo(s *Server) bool {
	if h.PaceOut.N == 0 || !h.IsOurs() || s.Verdict() == health.Up || lossOf(s) == NotReached {
		return false
	}
	if !h.now.Before(h.Removals.Since.Add(h.PaceOut.Every)) {
		h.Removals = Removals{Since: h.now}
	} else if h.Removals.N >= h.PaceOut.Of(h.Weighted()) {
		return true
	}
	h.Removals.N++
	return false
}
