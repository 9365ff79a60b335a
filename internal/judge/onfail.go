package judge

import (
	"fmt"
	"time"

	"ldirectord/internal/health"
	"ldirectord/internal/lvs"
)

// With onfail, the file decides what happens to the connections of a server that checks take out. The connections stay
// while the server has weight 0, and end when it is removed from the table.

// From the file: a server that checks take out has weight 0 while it fails or for a time, or is removed.
var onfailRule = Rule{"onfail", true, failed}

var onfailKind = Kind{Name: "onfail", Trouble: Noted, Says: sayOnFail, keeps: keepsFailing}

// sayOnFail describes what happens to the connections of a server that checks took out.
func sayOnFail(v View) string {
	s, what := v.One, "not in the table until it passes"
	if v.OnFail == lvs.ByQuiescent || !v.Known || !outByChecks(s) || v.Rests(s) || v.ByHand[s.Dest.Addr] {
		return ""
	}
	_, in := v.WeightAt(s.Dest.Addr)
	switch until := v.left(s.Failed.Add(time.Duration(v.OnFail))); {
	case s.Waits() && (!in || s.Failed.IsZero()):
		return ""
	case s.Waits():
		return fmt.Sprintf("removed in %v (onfail = %v)", until, v.OnFail)
	case in && s.Order.Kind == Drain:
		what = "weight 0 while it is drained"
	case in && v.OnFail > 0:
		what = fmt.Sprintf("weight 0 for another %v, then it is removed", until)
	case in && v.OnFail == lvs.Cut && failsProven(s):
		what = "weight 0 until it passes: observe suspected it"
	case in && v.OnFail == lvs.Cut:
		what = "weight 0: its check has not passed since the start, or since a reload changed it"
	case in:
		what = "weight 0 while it fails"
	}
	return fmt.Sprintf("failed: %s (onfail = %v)", what, v.OnFail)
}

// failed notes when each server was taken out by checks, if onfail is a time. The time keeps running while a server has
// no result.
func failed(p *proposal) {
	for s := range p.all() {
		out := outByChecks(s)
		switch {
		case p.OnFail <= 0 || !out && s.State() != health.Unknown:
			s.Failed = time.Time{}
		case out && s.Failed.IsZero():
			s.Failed = p.now
		}
		if out && p.OnFail != lvs.ByQuiescent && !s.Waits() {
			s.Why = p.by
		}
		if stays, _ := p.stays(s); out && stays {
			p.askAgain(s.Failed.Add(time.Duration(max(0, p.OnFail))))
		}
	}
}

// keepsFailing decides whether a server that checks take out stays in the table with weight 0. It adds servers to the
// table only if quiescent is set.
func keepsFailing(p *proposal, s *Server) (stays, decides bool) {
	_, in := p.Have.At(s.Dest.Addr)
	stays, decides = in || p.Quiescent, p.OnFail != lvs.ByQuiescent && outByChecks(s)
	switch {
	case s.Order.Kind == Drain: // it keeps its connections, whatever onfail is
	case p.OnFail > 0:
		stays = in && p.now.Before(s.Failed.Add(time.Duration(p.OnFail)))
	case p.OnFail == lvs.Cut && isBelieved(s):
		stays = false
	}
	return stays, decides
}

// isBelieved reports whether the failure of a server can be trusted. The failing check must have passed since the
// start, or since a reload changed it, because a check that never passed may itself be wrong. If the server is
// suspected, its failure is not trusted, because the fault may be in the network.
func isBelieved(s *Server) bool { return failsProven(s) && s.Looks == 0 && !s.Suspect }

// failsProven reports whether a check that takes the server out has passed since the start, or since a reload changed
// it.
func failsProven(s *Server) bool {
	for _, check := range s.Checks() {
		if check.Health.State == health.Down && check.Part == 0 && check.Proven {
			return true
		}
	}
	return false
}
