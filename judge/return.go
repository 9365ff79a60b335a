package judge

import (
	"slices"
	"time"

	"ldirectord/checker/health"
	"ldirectord/lvs"
)

// A server that checks took out comes back when these rules let it in. With holddown, one that fails again soon after
// its return stays out, for longer each time. With pace, a number of servers returns in each stretch of time. Neither
// applies while too few serve.

// Waits reports whether a server passes, and is not let back in yet. A backup server never waits.
func (s *Server) Waits() bool {
	passes := s.Fallen && s.Verdict() == health.Up && s.Weight() > 0
	return passes && !s.Backup && !s.Drained() && !s.Suspended()
}

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
			s.Why = h.by
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

// needed is how many servers serve before any of them is kept out.
func needed(c *Case) int {
	_, enough := c.MinServers.Of(c.Weighted())
	return max(enough, c.Quota(), (c.Weighted()+1)/2)
}

// returning lets servers back in, at the pace. Those that checks took out wait in the order in which they passed; those
// that are held down come last.
func returning(h *hearing) {
	missing := needed(&h.Case)
	var waiting, last []*Server
	var came []time.Time
	for s := range h.all() {
		switch {
		case s.Waits() && h.isHeldDown(s):
			last = append(last, s)
		case s.Waits():
			waiting = append(waiting, s)
		case s.Fallen && s.Verdict() == health.Up && s.Asks() <= health.NoAdmin:
			s.Forgive() // an order overrides it
		case !s.Held && !s.Backup && (h.Serves(s) || h.Theirs && s.Verdict() == health.Unknown):
			missing--
		}
		if again := s.Turn.Add(h.Pace.Every); !s.Fallen && h.now.Before(again) {
			came = append(came, again)
		}
	}
	for _, list := range [][]*Server{waiting, last} {
		slices.SortStableFunc(list, func(a, b *Server) int { return a.Since.Compare(b.Since) })
	}
	slices.SortFunc(came, time.Time.Compare)
	paced := h.Pace.N > 0 && !h.Obeys && !h.Theirs
	each := max(1, h.Pace.Of(h.Weighted())) // 0 where only former addresses have one
	for _, s := range slices.Concat(waiting, last) {
		full := paced && len(came) >= each
		switch {
		case missing > 0 || h.Gathers() || !h.weighsNothing(s) && !s.Suspect || !full && !h.isHeldDown(s):
			s.Fallen, s.Noted, s.Suspect, s.Turn = false, false, false, h.now
			came = append(came, h.now.Add(h.Pace.Every))
			missing--
		case !h.isHeldDown(s):
			turn := came[len(came)-each]
			h.waits(s, turn, came[0])
			came = append(came, turn.Add(h.Pace.Every))
		}
	}
}

// waits notes when it is a server's turn, and when that is looked at again.
func (h *hearing) waits(s *Server, turn, again time.Time) {
	s.Until, s.Why = turn, h.by
	h.askAgain(again)
}

// Removals are those that paceout counts: how many servers checks took out since then.
type Removals struct {
	Since time.Time
	N     int
}

// waitsToGo reports whether a server that checks take out waits for its turn, and counts it if not. A server that
// accepts no connection, or that requests it, is taken out at once.
func (h *hearing) waitsToGo(s *Server) bool {
	if h.PaceOut.N == 0 || h.Theirs || s.Verdict() == health.Up || lossOf(s) == NotReached {
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
