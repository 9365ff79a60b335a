package judge

import (
	"fmt"
	"time"

	"ldirectord/internal/health"
	"ldirectord/internal/lvs"
)

// With observe, the servers of a section are compared by their packet counters: a server is suspected if it sends its
// clients nothing back while most of the other servers answer theirs.

const (
	// A server is suspected after this many connections without a packet back. minWaiting of them must have been
	// there at the previous look, because the answer to a connection made just before a look may still be on its
	// way.
	minUnanswered = 20
	minWaiting    = 10
	maxQuiet      = 10 // looks in a row without a new connection, after which the count starts again
)

// Witness tracks what the counters of a server show about its clients from one look to the next.
type Witness struct {
	last       lvs.Traffic // at the last look
	at         time.Time   // of the last look that compared it
	fresh      lvs.Traffic // since the look before
	since      time.Time   // when the count of unanswered began; zero: no look yet
	unanswered uint64      // new connections while no packet came back
	quiet      int         // looks in a row without a new connection
	Suspected  bool        // its clients get no answers
	Begins     bool        // the suspicion began at the last look
	well       bool        // enough others answered at the last look
	out        bool        // it was left out at the last look
	Over       string      // why the last suspicion ended
}

// Look notes counters. If they are smaller than before, they were reset, and the count starts again. The count also
// starts with the first look at a server.
func (w *Witness) Look(t lvs.Traffic, now time.Time) {
	before := w.last
	if w.last = t; w.since.IsZero() || t.Connections < before.Connections || t.PacketsOut < before.PacketsOut {
		w.Forget(now, "its counters were reset")
		before = t
	}
	w.fresh.Connections, w.fresh.PacketsOut = t.Connections-before.Connections, t.PacketsOut-before.PacketsOut
}

// Forget starts the count again, and ends a suspicion for the given reason.
func (w *Witness) Forget(now time.Time, why string) {
	w.since, w.unanswered, w.quiet = now, 0, 0
	if w.Suspected {
		w.Suspected, w.Over = false, why
	}
}

// Follow begins a look at a server. A suspicion ends if the server's checks fail, or if it is no longer left out.
func (w *Witness) Follow(s *Server, now time.Time) {
	w.fresh, w.Begins = lvs.Traffic{}, false
	switch {
	case s.Health() == health.Down:
		w.Forget(now, "its checks fail")
	case w.out && !s.Suspect && (s.Drained() || s.Suspended()):
		w.Forget(now, "an order, maintenance or its own report takes it out")
	case w.out && !s.Suspect:
		w.Forget(now, "it is back in service")
	}
	w.out = s.Suspect
}

// Says describes the connections that got no answer.
func (w *Witness) Says() string {
	return fmt.Sprintf("%d connections in %.0f s, 0 packets back", w.unanswered, w.at.Sub(w.since).Seconds())
}

// Compare decides, after a look at all servers of a section, which of them are suspected. A server is suspected if
// none of its last connections, at least minUnanswered, got a packet back, while at least two thirds of the other
// servers with new connections answered.
func Compare(all []*Witness, now time.Time) {
	asked, answered := 0, 0
	count := func(w *Witness, n int) {
		if w.fresh.Connections > 0 {
			asked += n
			answered += n * int(min(w.fresh.PacketsOut, 1))
		}
	}
	for _, w := range all {
		count(w, 1)
	}
	for _, w := range all {
		count(w, -1)
		w.judge(answered > 0 && 3*answered >= 2*asked, now)
		count(w, 1)
	}
}

// judge decides whether a server is suspected. The argument well means that enough of the other servers answered.
func (w *Witness) judge(well bool, now time.Time) {
	waiting := w.unanswered
	w.at, w.well = now, well
	switch w.unanswered += w.fresh.Connections; {
	case w.fresh.PacketsOut > 0:
		w.Forget(now, "packets come back")
	case w.fresh.Connections > 0:
		w.quiet = 0
		if !well && !w.Suspected {
			w.Forget(now, "")
		}
	default:
		w.quiet++
		if w.quiet == maxQuiet || w.unanswered == 0 {
			w.Forget(now, "it gets no new connections")
		}
	}
	renewed := w.fresh.Connections > 0 // otherwise the answers may have come but not been counted yet
	w.Begins = !w.Suspected && well && renewed && waiting >= minWaiting && w.unanswered >= minUnanswered
	w.Suspected = w.Suspected || w.Begins
}

const surely = 3 // looks in a row after which a server is left out

// Observed is called after Compare. It records what the witness saw of the server, unless the server fails or is left
// out, and reports whether the table may change.
func (s *Server) Observed(w *Witness) (changed bool) {
	switch {
	case s.Health() == health.Down || s.Suspect:
	case !w.Suspected:
		s.Looks = 0
		if w.fresh.PacketsOut > 0 {
			s.Suspects = 0
		}
	case w.well || s.Looks == 0:
		s.Looks = min(s.Looks+1, surely)
	}
	return s.Looks == surely
}
