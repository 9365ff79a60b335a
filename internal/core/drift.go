package core

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"ldirectord/internal/judge"
	"ldirectord/internal/lvs"
	"ldirectord/internal/notify"
)

// checkDrift compares the table with the last write and undoes external changes. It always restores virtual services
// that were removed or changed. For their real servers, see notice.
func (w *writer) checkDrift() {
	if w.silent() {
		return
	}
	table, o := w.read()
	if w.ends {
		return
	}
	differs := func(v *virtual) bool { return v.Known && !v.isAsWritten(table[v.Key()]) }
	if o.Err == nil && slices.ContainsFunc(w.ours, differs) {
		table, o = w.confirmed(table)
	}
	w.tellRead(o.Err)
	if o.Answer == judge.Missing {
		w.lost()
	}
	if o.Err != nil {
		return
	}
	w.noteCounters(table)
	var changes []*change
	for _, v := range w.ours {
		if slices.ContainsFunc(v.servers, func(s *server) bool { return s.Rerouted }) {
			v.touch() // the server's connections may have ended
		}
		if differs(v) {
			changes = append(changes, w.found(v, table[v.Key()]))
		}
	}
	w.settle(changes)
	w.keepTimeouts()
}

// tellRead reports that the table can't be read, or can be read again.
func (w *writer) tellRead(err error) {
	w.tell.trouble(&w.unread, err, notify.TableError, "Table can't be read", notify.TableRecovered,
		"Table can be read again")
}

// lost notes that the kernel no longer has IPVS. Its table went with it.
func (w *writer) lost() {
	for _, v := range w.ours {
		if v.placed {
			v.placed = false
			v.Vanished()
			v.touch()
		}
	}
}

// isAsWritten reports whether a reading shows the virtual service as it was last written.
func (v *virtual) isAsWritten(have lvs.VirtualService) bool {
	return have.Key == v.Key() && have.Settings == v.written && slices.Equal(have.Dests, v.Have)
}

// confirmed reads the table a second time, but keeps the entries that the first reading showed as written; see
// completed.
func (w *writer) confirmed(table lvs.Table) (lvs.Table, judge.Outcome) {
	again, o := w.read()
	for _, v := range w.ours {
		if have := table[v.Key()]; o.Err == nil && v.isAsWritten(have) {
			again[v.Key()] = have
		}
	}
	return again, o
}

// completed reads the table a second time if one of the keys is missing, and adds what it finds. The kernel sends a
// long table in parts, and each part starts at an index (ip_vs_genl_dump_services). If an earlier virtual service is
// removed between two parts, the kernel skips another one.
func (w *writer) completed(have lvs.Table, keys []lvs.Key) lvs.Table {
	lacks := func(key lvs.Key) bool { return have[key].Key != key }
	if len(have) == 0 || !slices.ContainsFunc(keys, lacks) {
		return have
	}
	again, o := w.read()
	if o.Err != nil {
		return have
	}
	maps.Copy(again, have)
	return again
}

// keepTimeouts sets the timeouts of idle connections, if the file contains them and no other daemon sets them. The
// timeouts stay set when the daemon ends.
func (w *writer) keepTimeouts() {
	want := w.global.Timeouts
	if want == (lvs.Timeouts{}) || !w.others.idle || !w.mayAsk() {
		return
	}
	was, o := w.Timeouts(w.silence.Limit(), want)
	if w.ended(o); w.ends {
		return
	}
	w.tell.trouble(&w.unset, o.Err, notify.TableError, "Timeouts can't be set", notify.TableRecovered,
		"Timeouts can be set again")
	if now := want.Over(was); o.Err == nil && now != was {
		w.tell.line(notify.Timeouts, fmt.Sprintf("Set timeouts: %v, before: %v", now, was))
	}
}

// noteCounters notes the servers' counters in the table, and the time at which they were read.
func (w *writer) noteCounters(table lvs.Table) {
	interval := w.driftInterval()
	for _, v := range w.virtuals {
		have := table[v.Key()]
		for _, s := range v.servers {
			s.carries, s.counted = have.Counters[s.Dest.Addr]
		}
		if have.Counters != nil {
			w.counted = w.tell.now()
			v.share(have.Dests, w.counted)
		}
		w.limits(v, have.Dests, interval)
	}
}

// notice reports each external change once. judge.Case.Changed decides whether a server's addition, removal or new
// weight is kept, and for how long. Other settings of a server are restored, unless it is leaving, or is to change to
// gate and has a weight by hand. Those of a destination that is not in the file are kept until a reload.
func (w *writer) notice(v *virtual, was, have lvs.VirtualService) {
	if have.Key != v.Key() {
		w.tell.override(v, netip.AddrPort{}, "the virtual service was removed; restoring it")
		v.placed = false
		v.Vanished()
		return
	}
	empties := v.Beside != "" && !v.Have.Serve()
	ops := lvs.DiffService(was, have)
	slices.SortStableFunc(ops, func(a, b lvs.Op) int { return a.Dest.Addr.Compare(b.Dest.Addr) })
	for _, op := range ops {
		what, addr := fmt.Sprintf("has weight %d", op.Dest.Weight), op.Dest.Addr
		switch op.Kind {
		case lvs.EditService:
			w.tell.override(v, netip.AddrPort{}, "the virtual service was changed; restoring it")
			continue
		case lvs.AddDest:
			what = "was added"
		case lvs.DelDest:
			what = "was removed"
		}
		if op.Kind != lvs.EditDest || op.Dest.Weight != op.Old.Weight {
			v.byHand(&w.tell, addr, op.Kind != lvs.DelDest, empties, what)
		}
		if more := otherSettings(op); more != "" {
			w.tell.override(v, addr, "has "+more+v.undoes(op.Dest))
		}
	}
}

// otherSettings names the settings, apart from the weight, that an edit by hand changed. It returns "" if there are
// none.
func otherSettings(op lvs.Op) string {
	if op.Kind != lvs.EditDest {
		return ""
	}
	var all []string
	now, was := op.Dest, op.Old
	if now.Forward != was.Forward {
		all = append(all, "forwarding method "+now.Forward.String())
	}
	if now.Upper != was.Upper || now.Lower != was.Lower {
		all = append(all, fmt.Sprintf("thresholds u:%d l:%d", now.Upper, now.Lower))
	}
	if now.Encap != was.Encap {
		all = append(all, "another tunnel")
	}
	return strings.Join(all, ", ")
}

// undoes describes what becomes of settings, apart from the weight, that were changed by hand.
func (v *virtual) undoes(now lvs.Dest) string {
	s, byHand, restores := v.At(now.Addr), v.ByHand[now.Addr], v.AsInFile(now) != now
	reroutes := s != nil && s.Reroutes(now)
	switch {
	case v.Departure(now.Addr) != nil && !(byHand && restores): // it drains with these settings
		return "; kept"
	case restores, reroutes && !byHand:
		return "; restoring it"
	case reroutes:
		return "; kept until its next change of state or a reload"
	}
	return "; kept until a reload"
}

// byHand notes and reports that the destination at addr was changed by hand. For in and empties, see
// judge.Case.Changed.
func (v *virtual) byHand(tell *teller, addr netip.AddrPort, in, empties bool, what string) {
	switch kept := v.Changed(addr, in, empties); {
	case kept && in && v.IsNobodys(addr) && !v.Found[addr]: // no server has a state there
		what += "; kept until a reload"
	case kept:
		what += "; kept until its next change of state or a reload"
	default:
		what += "; restoring it"
	}
	tell.override(v, addr, what)
}
