package judge

import (
	"time"

	"ldirectord/checker/health"
	"ldirectord/lvs"
)

// With onfail, the file decides what happens to the connections of a server that checks take out. They stay while it
// has weight 0, and end when it is removed from the table.

var onfailRule = Rule{"onfail", "the file", true, failed,
	"a server that checks take out has weight 0 while it fails or for a time, or is removed"}

// failed notes since when checks keep servers out, where onfail has a time. For a server without a result the
// time continues.
func failed(h *hearing) {
	for s := range h.all() {
		out := outByChecks(s)
		switch {
		case h.OnFail <= 0 || !out && s.State() != health.Unknown:
			s.Failed = time.Time{}
		case out && s.Failed.IsZero():
			s.Failed = h.now
		}
		if out && h.OnFail != lvs.ByQuiescent && !s.Waits() {
			s.Why = h.by
		}
		if out && h.stays(s) {
			h.askAgain(s.Failed.Add(time.Duration(max(0, h.OnFail))))
		}
	}
}

// outByChecks reports whether nothing but checks keeps a server out: one fails, or failed and it waits to come back.
func outByChecks(s *Server) bool {
	return s.State() == health.Down && !s.Suspended() && !isLeftOut(s)
}

// stays reports whether a server that is down has weight 0 in the table. Otherwise it is removed. With onfail it is not
// added for that.
func (h *hearing) stays(s *Server) bool {
	_, in := h.Have.At(s.Dest.Addr)
	switch {
	case isLeftOut(s):
		return in
	case h.OnFail == lvs.ByQuiescent || !outByChecks(s):
		return h.Quiescent
	case s.Order.Kind == Drain: // it keeps its connections
	case h.OnFail > 0:
		return in && h.now.Before(s.Failed.Add(time.Duration(h.OnFail)))
	case h.OnFail == lvs.Cut && isBelieved(s):
		return false
	}
	return in || h.Quiescent
}

// isBelieved reports whether a failing check has passed before, since the start or its last change. A check that never
// passed may itself be wrong. The failure of a suspected server may be a fault of the network.
func isBelieved(s *Server) bool {
	for _, check := range s.Checks() {
		if check.Health.State == health.Down && check.Part == 0 && check.Proven {
			return s.Looks == 0 && !s.Suspect
		}
	}
	return false
}
