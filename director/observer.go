package director

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"ldirectord/checker/health"
	"ldirectord/checker/schedule"
	"ldirectord/judge"
	"ldirectord/lvs"
	"ldirectord/notify"
	"ldirectord/view"
)

// This file compares the packets of clients. With observe, a server is suspected when its clients get no packet back,
// while clients of the other servers do. The suspicion is reported, and its checks are made at once. judge decides what
// happens to it.

const (
	// observeInterval is the time between two looks at the counters of the observed sections. The kernel renews
	// those of each server as often (net/netfilter/ipvs/ip_vs_est.c), newer ones not all of them together.
	observeInterval = 2 * time.Second
	// A server is suspected after this many connections without a packet back. minWaiting of them were there at the
	// look before, because the answer to a connection made just before a look may still be on its way.
	minUnanswered = 20
	minWaiting    = 10
	maxQuiet      = 10 // looks in a row without a new connection, after which nothing is known of a server
)

// witness is what the counters of a server show of its clients, look by look.
type witness struct {
	last       lvs.Traffic // at the last look
	at         time.Time   // of the last look at which it was compared
	fresh      lvs.Traffic // since the look before
	since      time.Time   // of the last look before the connections below; zero: none yet
	unanswered uint64      // new connections while no packet came back
	quiet      int         // looks in a row without a new connection
	suspected  bool
	well       bool   // enough others answered, at the last look
	out        bool   // it was left out, at the last look
	asked      bool   // its checks were asked for
	over       string // why the last suspicion ended
}

// look notes counters. If they are smaller than before, they were reset, and the count starts again. It also starts for
// a server that was not looked at before.
func (w *witness) look(t lvs.Traffic, now time.Time) {
	before := w.last
	if w.last = t; w.since.IsZero() || t.Connections < before.Connections || t.PacketsOut < before.PacketsOut {
		w.forget(now, "its counters were reset")
		before = t
	}
	w.fresh.Connections, w.fresh.PacketsOut = t.Connections-before.Connections, t.PacketsOut-before.PacketsOut
}

// forget starts the count again.
func (w *witness) forget(now time.Time, why string) {
	w.since, w.unanswered, w.quiet = now, 0, 0
	if w.suspected {
		w.suspected, w.over = false, why
	}
}

// compare decides which servers of a section are suspected, after a look at all of them: those whose clients got no
// packet back, while two thirds of the others with new connections answered.
func compare(all []*witness, now time.Time) {
	asked, answered := 0, 0
	count := func(w *witness, n int) {
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

// judge decides whether a server is suspected. well: enough of the other servers answered.
func (w *witness) judge(well bool, now time.Time) {
	waiting := w.unanswered
	w.at, w.well = now, well
	switch w.unanswered += w.fresh.Connections; {
	case w.fresh.PacketsOut > 0:
		w.forget(now, "packets come back")
	case w.fresh.Connections > 0:
		w.quiet = 0
		if !well && !w.suspected {
			w.forget(now, "")
		}
	default:
		w.quiet++
		if w.quiet == maxQuiet || w.unanswered == 0 {
			w.forget(now, "it gets no new connections")
		}
	}
	renewed := w.fresh.Connections > 0 // otherwise the answers may be there, and not counted yet
	w.suspected = w.suspected || well && renewed && waiting >= minWaiting && w.unanswered >= minUnanswered
}

// isSuspected reports whether the clients of a server get no answers.
func (s *server) isSuspected() bool { return s.witness != nil && s.witness.suspected }

// suspicion is why a server is suspected; "" when it is not.
func (s *server) suspicion() string {
	if !s.isSuspected() {
		return ""
	}
	w := s.witness
	text := fmt.Sprintf("%d connections in %.0f s, 0 packets back", w.unanswered, w.at.Sub(w.since).Seconds())
	if c := s.worst().check; c != nil && c.last.OK {
		text += "; its checks pass"
	}
	return text
}

// observer looks at the counters of the sections with observe.
type observer struct {
	*services
	examiner *examiner
	lookAt   <-chan time.Time // nil: nothing is observed
}

// arm starts the timer for the next look, while there is something to observe.
func (o *observer) arm() {
	if o.lookAt == nil && slices.ContainsFunc(o.virtuals, func(v *virtual) bool {
		return v.cfg.Observe != lvs.NotObserved || slices.ContainsFunc(v.servers, (*server).isSuspected)
	}) {
		o.lookAt = time.After(observeInterval)
	}
}

// look reads the counters of the sections that are observed, and forgets what was seen of the others.
func (o *observer) look(ctx context.Context, t *table) {
	o.lookAt = nil
	var keys []lvs.Key
	for _, v := range o.virtuals {
		if v.isObserved() {
			keys = append(keys, v.key)
		}
	}
	found := t.counters(ctx, keys...)
	for _, v := range o.virtuals {
		if service, read := found[v.key]; read || !v.isObserved() {
			o.observe(v, service.Counters)
		}
	}
	o.arm()
}

// isObserved reports whether the counters of a virtual service are read.
func (v *virtual) isObserved() bool {
	return v.isOurs() && slices.ContainsFunc(v.servers, func(s *server) bool { return v.cfg.Observes(s.real) })
}

// observe decides which servers of a virtual service are suspected. A server without counters is not there, or not
// observed.
func (o *observer) observe(v *virtual, counters map[netip.AddrPort]lvs.Counters) {
	now, all := time.Now(), []*witness{}
	for _, s := range v.servers {
		if w := s.witness; w != nil {
			w.fresh = lvs.Traffic{}
			switch {
			case s.Verdict() == health.Down:
				w.forget(now, "its checks fail")
			case w.out && !s.Suspect:
				w.forget(now, "it is back in service")
			}
			w.out = s.Suspect
		}
		c, in := counters[s.Dest.Addr]
		switch {
		case in && v.cfg.Observes(s.real) && v.serverAt(s.Dest.Addr) == s:
			if s.witness == nil {
				s.witness = &witness{}
			}
			s.witness.look(c.Traffic, now)
			if !s.Suspect {
				all = append(all, s.witness)
			}
		case s.witness != nil:
			s.witness.forget(now, "it is no longer observed")
		}
	}
	compare(all, now)
	for _, s := range v.servers {
		w := s.witness
		if w == nil {
			continue
		}
		if judge.Observed(s.Server, w.suspected, w.well, w.fresh.PacketsOut > 0) && v.Observe == lvs.LeftOut {
			v.touch()
		}
		if w.suspected && !w.asked {
			o.examiner.ask(v, s)
		}
		w.asked = w.suspected
		o.tell.changed(v, s)
	}
}

// ask has the checks of a server made at once.
func (e *examiner) ask(v *virtual, s *server) {
	var tasks []*schedule.Task
	for x := range v.checks(s) {
		if c := x.j.check; c != nil {
			c.observed = true
			tasks = append(tasks, x.j.task)
		}
	}
	e.pool.Ask(tasks...)
}

var suspectedKind = kind{name: "suspected", trouble: judge.Doubt,
	says: func(a *subject) string { return view.After("suspected: ", a.s.suspicion()) },
	news: &news{
		count: func(a *subject) int { return once(a.s.isSuspected()) },
		begins: func(a *subject, _ begun) notice {
			why := a.s.suspicion()
			return notice{notify.Suspected, "Suspected", ": " + why, why, "suspected: " + why}
		},
		ends: func(a *subject, _ begun) notice {
			why := a.s.witness.over
			return notice{notify.SuspicionOver, "No longer suspected", ": " + why, why,
				"no longer suspected: " + why}
		},
	}}
