package judge

import (
	"fmt"

	"ldirectord/internal/health"
	"ldirectord/internal/lvs"
)

// With observe, the packets of clients show a fault that checks don't: a server may pass its checks while none of its
// clients gets an answer. With observe = out, that server is left out: it has weight 0, and holddown decides when it
// comes back.

// From packets of clients: a server whose clients get no answers is left out, one at a time, while enough others serve.
var suspectRule = Rule{"suspects", false, leaveOut}

// leaveOut leaves out a suspected server if enough others serve, unless another server of the section is already left
// out.
func leaveOut(p *proposal) {
	serving, leaves := 0, p.Observe == lvs.LeftOut && !p.Obeys && p.IsOurs()
	var suspect *Server
	for s := range p.all() {
		leaves = leaves && !s.Suspect
		if p.isOutByHand(s.Dest.Addr) {
			s.Looks = 0
		}
		if !p.Serves(s) || s.Held || s.Backup || s.Health() != health.Up {
			continue
		}
		if serving++; s.Looks == surely && suspect == nil {
			suspect = s
		}
	}
	if leaves && suspect != nil && serving > p.needed() {
		suspect.Fallen, suspect.Noted, suspect.Suspect, suspect.Looks = true, false, true, 0
		suspect.Suspects = min(suspect.Suspects, maxReturns) + 1
		delete(p.ByHand, suspect.Dest.Addr)
	}
}

// From packets of clients: a server that was left out stays out as long as holddown says.
var observeRule = Rule{"observe", false, observed}

var observeKind = Kind{Name: "observe", Trouble: Doubt,
	Says: func(v View) string {
		switch s := v.One; {
		case !s.Suspect || !v.isKeptOut() || byOrder(v.Section, s): // comeback says it
			return ""
		case v.needsOrder(s):
			return "held down until an order (set … ready): " + noAnswers(s)
		default:
			return fmt.Sprintf("held down for another %v: %s", v.left(s.Turn), noAnswers(s))
		}
	},
	keeps: func(p *proposal, s *Server) (stays, decides bool) {
		_, in := p.Have.At(s.Dest.Addr)
		return in, isLeftOut(s)
	},
	Count: func(v View) int {
		if !v.One.Suspect {
			return 0
		}
		return int(v.One.Suspects)
	},
	Begins: func(v View) Notice {
		what := "Held down until an order (set … ready)"
		if !v.needsOrder(v.One) && !byOrder(v.Section, v.One) {
			what = fmt.Sprintf("Held down for %v", v.left(v.One.Turn))
		}
		return Notice{"held-down", what, ": " + noAnswers(v.One)}
	},
}

func observed(p *proposal) {
	for s := range p.all() {
		if isLeftOut(s) && p.isHeldDown(s) {
			s.Why = p.by
		}
	}
}
