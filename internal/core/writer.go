package core

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"ldirectord/internal/health"
	"ldirectord/internal/judge"
	"ldirectord/internal/lvs"
	"ldirectord/internal/notify"
	"ldirectord/internal/notify/monitorfile"
)

// writer writes decisions into the table, retries failed changes, undoes external changes, and removes virtual services
// that are no longer configured.
type writer struct {
	table
	*services
	others     *claimant // finds the daemon that has or awaits a virtual service
	announcer  *announcer
	marker     *marker
	examiner   *examiner
	departures *departures
	movers     *movers

	left    bool      // a decision has changed the leaving servers since they were last recorded
	unread  string    // why the last reading of the table failed
	unset   string    // why the last try to set the timeouts of idle connections failed
	counted time.Time // when the counters of the servers were read
}

// writing holds the writer's notes on a virtual service.
type writing struct {
	retry   judge.Retry
	written lvs.Settings // as last written to the table; valid while Known
	lasts   time.Time    // until then the weights stay as decided; zero: no limit
	again   time.Time    // when it is due by time alone, see wakeAt; zero: never
	dirty   bool         // it is due, see touch
	placed  bool         // the table has it, as far as known
	moves   bool         // the weight of a server changes
}

// follow updates the table. If the entries of a virtual service are unknown, it reads them first. If have is not nil,
// it is the table as just read.
func (w *writer) follow(changes []*change, unknown []*virtual, have lvs.Table) {
	w.carryOut(changes)
	for _, c := range changes {
		if c.Answer == judge.Missing {
			unknown, have = append(unknown, c.v), nil
			continue
		}
		w.conclude(c)
	}
	w.followAsRead(unknown, have)
}

// followAsRead updates virtual services whose entries must be read first.
func (w *writer) followAsRead(virtuals []*virtual, have lvs.Table) {
	if len(virtuals) == 0 || !w.mayAsk() {
		return
	}
	if have == nil {
		var o judge.Outcome
		if have, o = w.read(); o.Err == nil || o.Answer == judge.Missing {
			w.tellRead(o.Err)
		}
		if o.Err != nil {
			for _, v := range virtuals {
				w.failed(v, o)
			}
			return
		}
		have = w.completed(have, keysOf(those(virtuals, func(v *virtual) bool { return v.placed })))
	}
	var changes []*change
	for _, v := range virtuals {
		changes = append(changes, w.found(v, have[v.Key()]))
	}
	w.settle(changes)
}

// found notes the entry, if any, that was read for a virtual service, and returns the change to make.
func (w *writer) found(v *virtual, have lvs.VirtualService) *change {
	was, known := v.last(), v.Known
	if v.Read(append(lvs.Dests{}, have.Dests...)); known {
		w.notice(v, was, have)
	}
	return w.newChange(v, have, w.decide(v)) // after notice: a server taken out by hand is not held
}

// settle carries out changes and notes their results.
func (w *writer) settle(changes []*change) {
	w.carryOut(changes)
	for _, c := range changes {
		w.conclude(c)
	}
}

// countRerouted reads the connections of servers if some are to change to gate. While the table gets no requests, it
// keeps the numbers of the last reading. Otherwise all servers would seem to have no connections, and would change to
// gate.
func (w *writer) countRerouted(v *virtual) {
	isRerouted := func(s *server) bool {
		now, in := v.Have.At(s.Dest.Addr)
		return in && s.Reroutes(now)
	}
	if !v.IsOurs() || !v.MayReroute(v.Have) || !slices.ContainsFunc(v.servers, isRerouted) || !w.mayAsk() {
		return
	}
	read, ok := w.counters(v.Key())[v.Key()]
	for _, s := range v.servers {
		if !ok {
			s.Connected = true // otherwise it would change to gate at once
			continue
		}
		s.carries, s.counted = read.Counters[s.Dest.Addr]
		s.Counted(s.carries.Total())
	}
}

// conclude notes the outcome of a change, and reports the new state to the operator's commands and the webhook. A
// change that needed no operation has succeeded.
func (w *writer) conclude(c *change) {
	v := c.v
	if c.Err == nil {
		v.unweigh()
		v.Wrote(c.Want.Dests)
	} else if c.Partly {
		v.WroteSome()
	}
	switch v.dirty = c.Err != nil || c.Refused != nil; {
	case !v.dirty:
		w.succeeded(v)
	case c.Answer != judge.Unsent:
		w.failed(v, cmp.Or(c.Outcome, judge.Outcome{Answer: judge.Refused, Err: c.Refused}))
	}
	if c.Err == nil || c.Partly {
		w.tell.fallback(v)
		w.marker.tellWritten(v)
	}
}

// leave removes a virtual service for good if cleanstop is yes and no other daemon waits for it or changes it. It
// reports the servers that are up, except resting backup servers. If several virtual services check a server with the
// same settings, it reports the server only for the first one, like the Perl ldirectord. The map reported holds the
// servers that have already been reported. leave adds those of v, even if v stays in the table.
func (w *writer) leave(v *virtual, reported map[string]bool) judge.Outcome {
	var leaving []*server
	for _, s := range v.servers {
		id := monitorfile.ID(v.Config, s.entry.Real)
		if s.State() == health.Up && !v.Rests(s.Server) && !reported[id] {
			reported[id] = true
			leaving = append(leaving, s)
		}
	}
	if v.Remains || w.others.leaves(v) {
		return judge.Outcome{}
	}
	if w.silent() {
		return judge.Outcome{Answer: judge.Unsent, Err: errSilent}
	}
	v.reported.stops = true
	return w.remove(v, leaving...)
}

// remove removes a virtual service from the table, and reports the servers in leaving as removed.
func (w *writer) remove(v *virtual, leaving ...*server) judge.Outcome {
	op := lvs.Op{Kind: lvs.DelService, Key: v.Key()}
	o := w.do(op)[0]
	if o.Err != nil {
		return o
	}
	v.placed = false
	for _, s := range leaving {
		text := fmt.Sprintf("Purged real server (stop): %s (%s)", s.label(), v.Name())
		w.tell.say(v, s, notify.Purged, text, "")
	}
	w.tell.op(v, op, nil)
	return o
}
