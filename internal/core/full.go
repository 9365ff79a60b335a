package core

import (
	"fmt"
	"time"

	"ldirectord/internal/judge"
	"ldirectord/internal/lvs"
	"ldirectord/internal/notify"
	"ldirectord/internal/view"
)

// This file finds which servers are at their upper limits of connections. The kernel sends such servers no new clients.

// limit is the state of a server's upper limit of connections.
type limit struct {
	reached uint32    // the limit at which the kernel stopped sending new clients; 0: it sends them
	full    bool      // it was reported as full
	since   time.Time // since when full differs from the table; zero: it does not
}

func (l *limit) isFull() bool { return l != nil && l.full }

// look notes a destination and its connections, as read from the table. The field full changes only after the table has
// contradicted it for an interval.
func (l *limit) look(d lvs.Dest, connections uint32, now time.Time, interval time.Duration) (turned bool) {
	was := l.reached > 0 && d.Upper <= l.reached // raising the limit makes the kernel forget it
	if l.reached = 0; d.Full(was, connections) {
		l.reached = d.Upper
	}
	switch {
	case l.full == (l.reached > 0 && d.Weight > 0):
		l.since = time.Time{}
	case l.since.IsZero():
		l.since = now
	case now.Sub(l.since) >= interval:
		l.full, l.since = !l.full, time.Time{}
		return true
	}
	return false
}

// limits is called after the table has been read. It reports which servers are full, and notes whether all servers in
// service are, which is reported with the next decision.
func (w *writer) limits(v *virtual, have lvs.Dests, interval time.Duration) {
	for _, s := range v.servers {
		d, _ := have.At(s.Dest.Addr)
		if s.limit == nil {
			if d.Upper == 0 {
				continue
			}
			s.limit = &limit{}
		}
		if s.limit.look(d, s.carries.Total(), w.tell.now(), interval) {
			w.tell.changed(v, s)
		}
	}
	if full := v.isFull(have); full != v.full {
		v.full = full
		v.touch() // reported after the next decision: before it, v.held may name servers that are up again
	}
}

// isFull reports whether every destination that serves is a full server.
func (v *virtual) isFull(have lvs.Dests) bool {
	for _, d := range have {
		if s := v.serverAt(d.Addr); d.Weight > 0 && (s == nil || !s.limit.isFull()) {
			return false
		}
	}
	return have.Serve()
}

// fullness describes how many connections a full server has, and when it gets new clients again.
func (s *server) fullness() string {
	has := view.Plural(s.carries.Total(), "connection")
	return fmt.Sprintf("%s, upper limit %d: no new clients until it has fewer than %d",
		has, s.Dest.Upper, s.Dest.Resumes())
}

var fullKind = kind{name: "full", trouble: judge.Doubt,
	says: func(a *subject) string {
		if !a.s.limit.isFull() {
			return ""
		}
		return "full: " + a.s.fullness()
	},
	news: &news{
		begins: func(a *subject) notice {
			return notice{event: notify.Full, what: "Full", more: ": " + a.s.fullness()}
		},
		ends: alike(notify.FullOver, "No longer full", ""),
	}}

var allFullKind = kind{name: "all full", trouble: judge.Broken,
	says: func(a *subject) string {
		if !a.v.full {
			return ""
		}
		return "all servers in service are full: new clients are refused"
	},
	news: &news{
		begins: alike(notify.AllFull, "All servers in service are full", ": new clients are refused"),
		ends:   alike(notify.FullOver, "The servers are no longer all full", ""),
	}}
