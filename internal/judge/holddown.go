package judge

import (
	"cmp"
	"fmt"
	"time"

	"ldirectord/internal/lvs"
)

// From holddown: a server that fails again soon after its return stays out, longer each time.
var holddownRule = Rule{"held down", false, heldDown}

// From holddown: the failure of a server that was just taken out is counted.
var holddownAgainRule = Rule{"counted", false, heldDown}

var holddownKind = Kind{Name: "holddown", Trouble: Doubt,
	delays: func(c *Section, _ *Server) bool { return c.HoldDown.First > 0 },
	Says: func(v View) string {
		if !v.isKeptOut() || v.One.Suspect || !v.Now.Before(v.One.Turn) {
			return ""
		}
		return fmt.Sprintf("held down for another %v: %s", v.left(v.One.Turn), v.falls())
	},
	Count: func(v View) int {
		if !v.One.Fallen || v.One.Suspect || v.One.Falls < 2 {
			return 0
		}
		return int(v.One.Falls)
	},
	Begins: func(v View) Notice {
		return Notice{"held-down", fmt.Sprintf("Held down for %v", v.left(v.One.Turn)), ": " + v.falls()}
	},
}

// isKeptOut reports whether a server that passes is kept out, and not by pace.
func (v View) isKeptOut() bool { return v.One.Waits() && v.One.Until.IsZero() }

// falls tells how often a server failed, and within what time if that is known.
func (v View) falls() string {
	text := fmt.Sprintf("failed %d times", v.One.Falls)
	if v.One.FellFirst.IsZero() {
		return text
	}
	return fmt.Sprintf("%s in %v", text, v.Now.Sub(v.One.FellFirst).Round(time.Second))
}

const maxReturns = 2 // how often a server whose clients get no answers may come back without an order

// needsOrder reports whether a server that was left out needs an order to come back. Without an order, such a server
// comes back only if too few others serve.
func (c *Section) needsOrder(s *Server) bool {
	return c.Observe == lvs.LeftOut && s.Suspect && s.Suspects > maxReturns
}

// heldDown notes how long servers that left service stay out. It forgets the failures of a server whose last return was
// long enough ago.
func heldDown(p *proposal) {
	for s := range p.all() {
		if s.Fallen {
			p.count(s)
		} else if s.Suspects == 0 && !p.now.Before(s.Turn.Add(max(p.HoldDown.Most, p.Pace.Every))) {
			s.Forgive()
		}
		if s.Waits() && p.isHeldDown(s) {
			s.Why = cmp.Or(s.Why, p.by)
			p.askAgain(s.Turn)
		}
	}
}

// count counts the failure that took a server out of service. Each failure is counted only once.
func (p *proposal) count(s *Server) {
	if s.Noted {
		return
	}
	returned := s.Turn
	if s.Noted, s.Turn = true, p.now; !p.now.Before(returned.Add(p.HoldDown.Most)) {
		s.Falls, s.FellFirst = 1, p.now
		if !s.Suspect { // a suspect waits even the first time: its checks pass, so it would be back at once
			return
		}
	}
	out := p.HoldDown.First
	for range s.Falls - 1 {
		out = min(2*out, p.HoldDown.Most)
	}
	s.Turn, s.Falls = p.now.Add(out), max(s.Falls, s.Falls+1)
}

func (p *proposal) isHeldDown(s *Server) bool {
	return p.HoldDown.First > 0 && (p.now.Before(s.Turn) || p.needsOrder(s))
}
