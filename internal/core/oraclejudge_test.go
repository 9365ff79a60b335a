package core

import (
	"fmt"
	"slices"

	"ldirectord/internal/lab/always"
	"ldirectord/internal/lvs"
)

// judge checks one change that a daemon made, and returns what is wrong with it.
func (o *oracle) judge(op lvs.Op, before, after lvs.VirtualService) string {
	at := spot{op.Key, op.Dest.Addr}
	o.note("         " + op.String())
	defer o.noteGone(op, before, after)
	defer o.noteZero(op, after)
	if op.Kind == lvs.DelDest {
		defer delete(o.mustStay, at)
	}
	defer delete(o.unseen, at)
	delete(o.others, at)
	if op.Kind == lvs.AddService && !slices.Contains(o.ours, op.Key) {
		return "it is not claimed"
	}
	if op.Key.Addr == foreign || o.taken[op.Key] {
		return "this virtual service is not ours"
	}
	if op.Dest.Addr == sorry {
		defer func() { o.sorryIn[op.Key] = after.Dests.Weight(sorry) > 0 }()
	}
	if op.Kind == lvs.DelService && o.role != inService {
		o.sorryIn[op.Key] = false
		return ""
	}
	if o.role == resting {
		return "changed by a standby"
	}
	wrong := ""
	for _, f := range o.files { // the file as the daemon may have it by now
		s, in := f[addrOf(op.Key)]
		if !in || o.ending {
			return ""
		}
		if wrong = o.wrong(op, s, before, after); wrong == "" {
			return ""
		}
	}
	return wrong
}

// wrong returns what is wrong with a change if the section is this one.
func (o *oracle) wrong(op lvs.Op, s section, before, after lvs.VirtualService) string {
	if op.Kind < lvs.AddDest {
		return map[bool]string{true: "it is configured"}[op.Kind == lvs.DelService]
	}
	wrong := ""
	o.step(op, s, before, after).Ask(func(n int, what string) {
		wrong = fmt.Sprintf("%d, %s: %s", n, always.Says[n], what)
	})
	if wrong != "" {
		return wrong
	}
	e, _ := s.entry(op.Dest.Addr)
	waits := op.Kind == lvs.EditDest && op.Dest.Forward == lvs.Masq && !e.masq // to change to gate
	goes := before.Dests.Weight(op.Dest.Addr) > 0 && after.Dests.Weight(op.Dest.Addr) == 0
	if goes && !waits && !e.backup && o.mustBrake(op.Key, s, op.Dest.Addr) {
		return "taken out though all servers fail only through the virtual address"
	}
	return ""
}

// atRest returns what is wrong after a quiet time.
func (o *oracle) atRest(table lvs.Table, knows believed) (wrong []string) {
	add := func(format string, args ...any) { wrong = append(wrong, fmt.Sprintf(format, args...)) }
	for key := range table {
		if _, in := o.files[0][addrOf(key)]; !in && !o.taken[key] && (key.Addr != foreign || !o.foreign) {
			add("%v is in the table, and not in the file", key)
		}
	}
	for addr, s := range o.files[0] {
		key := keyFor(addr)
		if o.taken[key] {
			continue
		}
		have, in := table[key]
		want := lvs.VirtualService{Key: key, Settings: lvs.Settings{Scheduler: s.Scheduler}, Dests: have.Dests}
		if !in || knows[key] == nil ||
			lvs.Format(lvs.Table{key: have}) != lvs.Format(lvs.Table{key: want}) {
			add("%v is not in the table as configured", key)
			continue
		}
		o.restMoment(key, s, table[key].Dests, knows[key]).Ask(func(n int, what string) {
			add("%v: %d, %s: %s", key, n, always.Says[n], what)
		})
	}
	for at, until := range o.mustStay {
		if _, in := table[at.key].Dests.At(at.addr); !in && o.now.Before(until) {
			add("%v should drain in %v", at.addr, at.key)
		}
	}
	return wrong
}
