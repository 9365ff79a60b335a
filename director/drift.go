package director

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"ldirectord/ipvsctl"
	"ldirectord/judge"
	"ldirectord/lvs"
	"ldirectord/notify"
	"ldirectord/view"
)

// checkDrift compares the table with the last write and undoes external changes: settings and removals of virtual
// services always, changes of real servers only with repair.
func (w *writer) checkDrift(ctx context.Context) {
	if w.silent() {
		return
	}
	table, err := w.read(ctx)
	if ctx.Err() != nil {
		return
	}
	w.tell.trouble(&w.unread, err, notify.TableError, "Table can't be read", notify.TableRecovered,
		"Table can be read again")
	if err != nil {
		return
	}
	w.noteCounters(table)
	var changes []*change
	for _, v := range w.ours {
		if slices.ContainsFunc(v.servers, func(s *server) bool { return s.Rerouted }) {
			v.touch() // the server's connections may have ended
		}
		have := table[v.key]
		same := have.Key == v.key && have.Settings == v.written && slices.Equal(have.Dests, v.Have)
		if v.Known && !same {
			changes = append(changes, w.found(ctx, v, have))
		}
	}
	w.settle(ctx, changes)
	w.keepTimeouts(ctx)
}

// keepTimeouts sets the timeouts of idle connections, if the file has them and no other daemon sets them. At the end
// they stay.
func (w *writer) keepTimeouts(ctx context.Context) {
	want := w.global.Timeouts
	if want == (lvs.Timeouts{}) || !w.others.idle || !w.mayAsk(ctx) {
		return
	}
	limited, ended := w.limit(ctx)
	was, err := w.client.Timeouts(limited, want)
	ended(err)
	if ctx.Err() != nil {
		return
	}
	w.tell.trouble(&w.unset, err, notify.TableError, "Timeouts can't be set", notify.TableRecovered,
		"Timeouts can be set again")
	if now := want.Over(was); err == nil && now != was {
		text := fmt.Sprintf("Set timeouts: %v, before: %v", now, was)
		w.tell.emit(notify.Event{Kind: notify.Timeouts, Text: text})
	}
}

// noteCounters notes the counters of the servers from the table, and when they were read.
func (w *writer) noteCounters(table ipvsctl.Table) {
	interval := w.driftInterval()
	for _, v := range w.virtuals {
		counters := table[v.key].Counters
		if counters != nil {
			w.counted = time.Now()
		}
		for _, s := range v.servers {
			s.carries, s.counted = counters[s.Dest.Addr]
		}
		w.limits(v, table[v.key].Dests, interval)
	}
}

// limit has the state of a server's upper limit of connections.
type limit struct {
	reached uint32    // the limit at which the kernel stopped sending new clients; 0: it sends them
	full    bool      // it was reported as full
	since   time.Time // since when that differs from the table; zero: it does not
}

func (l *limit) isFull() bool { return l != nil && l.full }

// look notes a destination and its connections, as read from the table. The report changes after a full interval.
func (l *limit) look(d lvs.Dest, connections uint32, interval time.Duration) (turned bool) {
	was := l.reached > 0 && d.Upper <= l.reached // the kernel forgets it when the limit is raised
	if l.reached = 0; d.Full(was, connections) {
		l.reached = d.Upper
	}
	switch {
	case l.full == (l.reached > 0 && d.Weight > 0):
		l.since = time.Time{}
	case l.since.IsZero():
		l.since = time.Now()
	case time.Since(l.since) >= interval:
		l.full, l.since = !l.full, time.Time{}
		return true
	}
	return false
}

// limits reports which servers are full, and whether all that serve are, after the table was read.
func (w *writer) limits(v *virtual, have lvs.Dests, interval time.Duration) {
	for _, s := range v.servers {
		d, _ := have.At(s.Dest.Addr)
		if s.limit == nil {
			if d.Upper == 0 {
				continue
			}
			s.limit = &limit{}
		}
		if s.limit.look(d, s.carries.Total(), interval) {
			w.tell.changed(v, s)
		}
	}
	if full := v.isFull(have); full != v.full {
		v.full = full
		w.tell.changed(v, nil)
	}
}

// isFull reports whether every destination that serves is a server that is full.
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

// notice reports external changes once. Such a change of a server is kept until the server's next change of state or a
// reload, unless a file in maintenancedir or the directive repair forbids it.
func (w *writer) notice(v *virtual, was, have ipvsctl.Service) {
	if have.Key != v.key {
		w.tell.override(v, netip.AddrPort{}, "the virtual service was removed; restoring it")
		v.placed = false
		v.Vanished()
		return
	}
	empties := v.beside != "" && !v.Have.Serve()
	ops := ipvsctl.DiffService(was, have)
	slices.SortStableFunc(ops, func(a, b ipvsctl.Op) int { return a.Dest.Addr.Compare(b.Dest.Addr) })
	for _, op := range ops {
		what, addr := fmt.Sprintf("has weight %d", op.Dest.Weight), op.Dest.Addr
		switch op.Kind {
		case ipvsctl.EditService:
			w.tell.override(v, netip.AddrPort{}, "the virtual service was changed; restoring it")
			continue
		case ipvsctl.AddDest:
			what = "was added"
		case ipvsctl.DelDest:
			what = "was removed"
		}
		v.byHand(&w.tell, addr, op.Kind != ipvsctl.DelDest, empties, what)
	}
}

// byHand notes and reports a change by hand of the destination at addr. For in and empties, see judge.
func (v *virtual) byHand(tell *teller, addr netip.AddrPort, in, empties bool, what string) {
	if v.Changed(addr, in, empties) {
		what += "; kept until its next change of state or a reload"
	} else {
		what += "; restoring it"
	}
	tell.override(v, addr, what)
}

var fullKind = kind{name: "full", trouble: judge.Doubt,
	says: func(a *subject) string {
		if !a.s.limit.isFull() {
			return ""
		}
		return "full: " + a.s.fullness()
	},
	news: &news{
		count: func(a *subject) int { return once(a.s.limit.isFull()) },
		begins: func(a *subject, _ begun) notice {
			return notice{event: notify.Full, what: "Full", more: ": " + a.s.fullness()}
		},
		ends: alike(notify.FullOver, "No longer full", ""),
	}}

// status shows it
var allFullKind = kind{name: "all full", news: &news{
	ofSection: true,
	count:     func(a *subject) int { return once(a.v.full) },
	begins:    alike(notify.AllFull, "All servers in service are full", ": new clients are refused"),
	ends:      alike(notify.FullOver, "The servers are no longer all full", ""),
}}
