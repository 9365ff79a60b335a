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

// removals makes servers that the guard does not need wait for their turn to be removed.
func removals(p *proposal) {
	waiting, most := 0, p.PaceOut.Of(p.Weighted())
	p.leave = slices.DeleteFunc(p.leave, func(s *Server) bool {
		if !p.waitsToGo(s, most) {
			return false
		}
		turn := p.Removals.Since.Add(p.PaceOut.Every * time.Duration(1+waiting/max(1, most)))
		p.waits(s, turn, turn)
		waiting++
		return true
	})
}

// waitsToGo reports whether a server that checks take out has to wait for its turn, and otherwise counts its removal. A
// server that accepts no connection, or asks to be left out, is taken out at once and not counted. The argument most is
// the number of servers that may be removed in each period of paceout.
func (p *proposal) waitsToGo(s *Server, most int) bool {
	if p.PaceOut.N == 0 || !p.IsOurs() || s.Health() == health.Up || lossOf(s) == NotReached {
		return false
	}
	if !p.now.Before(p.Removals.Since.Add(p.PaceOut.Every)) {
		p.Removals = Removals{Since: p.now}
	} else if p.Removals.N >= most {
		return true
	}
	p.Removals.N++
	return false
}
