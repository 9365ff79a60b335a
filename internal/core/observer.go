package core

import (
	"net/netip"
	"slices"
	"time"

	"ldirectord/internal/judge"
	"ldirectord/internal/lvs"
	"ldirectord/internal/notify"
	"ldirectord/internal/schedule"
	"ldirectord/internal/view"
)

// With observe, the servers of a section are compared by their packet counters: a server is suspected if it sends its
// clients nothing back while most of the other servers answer theirs. This file reads the counters, reports a
// suspicion, and has the server checked at once. judge decides what happens to the server.

// ObserveInterval is the time before each look at the counters of the observed sections. The kernel updates each
// server's counters at the same interval (net/netfilter/ipvs/ip_vs_est.c). Newer kernels don't update the counters of
// all servers at the same moment.
const ObserveInterval = 2 * time.Second

// isSuspected reports whether the clients of a server seem to get no answers.
func (s *server) isSuspected() bool { return s.witness != nil && s.witness.Suspected }

// suspicion returns the reason why a server is suspected, or "" if it is not.
func (s *server) suspicion() string {
	if !s.isSuspected() {
		return ""
	}
	text := s.witness.Says()
	if c := s.worst().check; c != nil && c.last.OK {
		text += "; its checks pass"
	}
	return text
}

// observer compares the counters of servers in sections that have the directive observe.
type observer struct {
	*services
	examiner *examiner
	lookAt   time.Time // the next look at the counters; zero: nothing is observed
}

// arm sets the time of the next look if there is something to observe.
func (o *observer) arm() {
	if o.lookAt.IsZero() && slices.ContainsFunc(o.virtuals, func(v *virtual) bool {
		return v.Config.Observe != lvs.NotObserved || slices.ContainsFunc(v.servers, (*server).isSuspected)
	}) {
		o.lookAt = o.tell.now().Add(ObserveInterval)
	}
}

// look reads the counters of the observed sections, and forgets what it has seen of other sections.
func (o *observer) look(w *writer) {
	o.lookAt = time.Time{}
	found := w.counters(keysOf(those(o.virtuals, (*virtual).isObserved))...)
	for _, v := range o.virtuals {
		if service, read := found[v.Key()]; read || !v.isObserved() {
			o.observe(v, service.Counters)
		}
	}
	o.arm()
}

// isObserved reports whether the counters of a virtual service are read.
func (v *virtual) isObserved() bool {
	observes := func(s *server) bool { return v.Config.Observes(s.entry.Real) }
	return v.IsOurs() && slices.ContainsFunc(v.servers, observes)
}

// observe decides which servers of a virtual service are suspected. A server without counters is not in the table or is
// not observed.
func (o *observer) observe(v *virtual, counters map[netip.AddrPort]lvs.Counters) {
	now, all := o.tell.now(), []*judge.Witness{}
	for _, s := range v.servers {
		if s.witness != nil {
			s.witness.Follow(s.Server, now)
		}
		c, in := counters[s.Dest.Addr]
		switch {
		case in && v.Config.Observes(s.entry.Real) && v.serverAt(s.Dest.Addr) == s:
			if s.witness == nil {
				s.witness = &judge.Witness{}
			}
			s.witness.Look(c.Traffic, now)
			if !s.Suspect {
				all = append(all, s.witness)
			}
		case s.witness != nil:
			s.witness.Forget(now, "it is no longer observed")
		}
	}
	judge.Compare(all, now)
	for _, s := range v.servers {
		w := s.witness
		if w == nil {
			continue
		}
		if s.Observed(w) && v.Observe == lvs.LeftOut {
			v.touch()
		}
		if w.Begins {
			o.examiner.ask(v, s)
		}
		o.tell.changed(v, s)
	}
}

// ask has all checks of a server run at once.
func (e *examiner) ask(v *virtual, s *server) {
	var tasks []*schedule.Task
	for x := range v.checks(s) {
		if c := x.j.check; c != nil {
			c.observed = true
			tasks = append(tasks, x.task())
		}
	}
	e.checked.Ask(tasks...)
}

var suspectedKind = kind{name: "suspected", trouble: judge.Doubt,
	says: func(a *subject) string { return view.After("suspected: ", a.s.suspicion()) },
	news: &news{
		begins: func(a *subject) notice {
			why := a.s.suspicion()
			return notice{notify.Suspected, "Suspected", ": " + why, why, "suspected: " + why}
		},
		ends: func(a *subject) notice {
			why := a.s.witness.Over
			return notice{notify.SuspicionOver, "No longer suspected", ": " + why, why,
				"no longer suspected: " + why}
		},
	}}
