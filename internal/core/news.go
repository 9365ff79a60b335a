package core

import (
	"time"

	"ldirectord/internal/history"
	"ldirectord/internal/notify"
)

// news defines what is reported when a kind of condition begins or ends.
type news struct {
	// count returns how often the condition has begun, or 0 while it does not hold. It is nil if the condition
	// can't begin again while it holds.
	count func(*subject) int
	// begins returns what to report when the count rises. ends returns what to report when the count falls to 0. If
	// ends is nil, or a notice has no event, nothing is reported.
	begins, ends func(*subject) notice
	after        func(*virtual) time.Duration // it is reported once it has held this long; nil: at once
	over         func(*subject) time.Time     // when time alone ends it; nil: never
}

// notice is one report.
type notice struct {
	event  notify.Kind
	what   string // before the name of the server or the virtual service
	more   string // after it
	reason string // as mails and hooks get it
	past   string // for the history; "": it is not recorded
}

// alike makes a notice that is the same for all servers.
func alike(event notify.Kind, what, more string) func(*subject) notice {
	return func(*subject) notice { return notice{event: event, what: what, more: more} }
}

// begun is a condition that holds, as last reported.
type begun struct {
	count    int
	due      time.Time // when it is reported
	reported bool      // false: it has not held long enough
}

// recent is what is remembered about the latest changes of a server or a virtual service.
type recent struct {
	begun  map[*news]begun // the conditions that hold
	shifts []time.Time     // when the state of a server changed, see flapsKind
	odd    *oddities       // nil: the server is like the others of its section
}

// memoryOf returns what is remembered about s, or about v if s is nil.
func memoryOf(v *virtual, s *server) *recent {
	kept := &v.recent
	if s != nil {
		kept = &s.recent
	}
	if *kept == nil {
		*kept = &recent{begun: map[*news]begun{}}
	}
	return *kept
}

// often returns how often a reported kind of condition has begun, or 0 while it does not hold.
func (k *kind) often(a *subject) int {
	if k.count != nil {
		return k.count(a)
	}
	return min(len(k.says(a)), 1)
}

// changed reports which conditions of s, or of v if s is nil, have begun or ended since the last call. It also notes
// the time at which the next condition will begin or end without an event.
func (t *teller) changed(v *virtual, s *server) { t.compare(v, s, true) }

// known marks the current conditions as reported, without a report. It is called if a former plan or daemon may have
// reported them. It leaves out conditions that are reported only after a delay, because these may not have been
// reported yet.
func (t *teller) known(v *virtual, s *server) { t.compare(v, s, false) }

func (t *teller) compare(v *virtual, s *server, tells bool) {
	a, was := &t.subject, v.recent
	a.Now = t.now()
	a.about(v, s)
	defer func() { *a = subject{} }() // a plan that was replaced may be freed
	if s != nil {
		was = s.recent
	}
	kinds := a.kinds()
	for i := range kinds { // a copy of each would be most of the work
		one := &kinds[i]
		k := one.news
		if k == nil || k.after != nil && !tells {
			continue
		}
		count := one.often(a)
		if count == 0 && (was == nil || len(was.begun) == 0) {
			continue // as for most servers
		}
		n := k.follow(a, memoryOf(v, s).begun, count)
		if n.past != "" && tells {
			t.note(history.Changed, n.past, s)
		}
		if n.event != "" && tells {
			t.report(v, s, n.event, n.what, n.more, n.reason)
		}
	}
}

// follow notes how often a condition has begun, and returns what to report.
func (k *news) follow(a *subject, all map[*news]begun, count int) (n notice) {
	was, held := all[k]
	now := begun{count, was.due, was.reported}
	a.was = was
	if count == 0 {
		if held && k.ends != nil {
			n = k.ends(a)
		}
		delete(all, k)
		return n
	}
	if !held {
		now.due = a.Now
		if k.after != nil {
			now.due = now.due.Add(k.after(a.v))
		}
	}
	if k.over != nil {
		a.v.sooner(k.over(a))
	}
	if now.reported = was.reported || !a.Now.Before(now.due); !now.reported {
		a.v.sooner(now.due)
	} else if !was.reported || count > was.count {
		n = k.begins(a)
	}
	all[k] = now
	return n
}
