package director

import (
	"fmt"
	"time"

	"ldirectord/ipvsctl"
	"ldirectord/lab/always"
	"ldirectord/lvs"
)

// judge checks one change that a daemon made, and returns what is wrong with it.
func (o *oracle) judge(op ipvsctl.Op, before, after ipvsctl.Service) string {
	o.mu.Lock()
	defer o.mu.Unlock()
	at := spot{op.Key, op.Dest.Addr}
	o.note("         " + op.String())
	defer o.noteGone(op, before, after)
	defer o.noteZero(op, after)
	if op.Kind == ipvsctl.DelDest {
		defer delete(o.mustStay, at)
	}
	defer delete(o.unseen, at)
	if op.Key.Addr == foreign {
		return "this virtual service is not ours"
	}
	if op.Dest.Addr == sorry {
		defer func() { o.sorryIn[op.Key] = after.Dests.Weight(sorry) > 0 }()
	}
	if op.Kind == ipvsctl.DelService && o.role != inService {
		o.sorryIn[op.Key] = false
		return ""
	}
	if o.role == resting {
		return "changed by a standby"
	}
	wrong := ""
	for _, f := range o.files { // the file as the daemon may have it by now
		s, in := f[op.Key.Addr]
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
func (o *oracle) wrong(op ipvsctl.Op, s section, before, after ipvsctl.Service) string {
	if op.Kind < ipvsctl.AddDest {
		return map[bool]string{true: "it is configured"}[op.Kind == ipvsctl.DelService]
	}
	wrong := ""
	o.step(op, s, before, after).Ask(func(n int, what string) {
		wrong = fmt.Sprintf("%d, %s: %s", n, always.Says[n], what)
	})
	if wrong != "" {
		return wrong
	}
	e, _ := s.entry(op.Dest.Addr)
	waits := op.Kind == ipvsctl.EditDest && op.Dest.Forward == lvs.Masq && !e.masq // to change to gate
	goes := before.Dests.Weight(op.Dest.Addr) > 0 && after.Dests.Weight(op.Dest.Addr) == 0
	if goes && !waits && !e.backup && o.mustBrake(op.Key, s, op.Dest.Addr) {
		return "taken out though all servers fail only through the virtual address"
	}
	return ""
}

// atRest returns what is wrong after a quiet time.
func (o *oracle) atRest(table ipvsctl.Table, knows believed) (wrong []string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	add := func(format string, args ...any) { wrong = append(wrong, fmt.Sprintf(format, args...)) }
	for key := range table {
		if _, in := o.files[0][key.Addr]; !in && (key.Addr != foreign || !o.foreign) {
			add("%v is in the table, and not in the file", key)
		}
	}
	for addr, s := range o.files[0] {
		key := keyFor(addr)
		have, in := table[key]
		want := ipvsctl.Service{Key: key, Settings: ipvsctl.Settings{Scheduler: s.scheduler}, Dests: have.Dests}
		if !in || knows[key] == nil ||
			ipvsctl.Format(ipvsctl.Table{key: have}) != ipvsctl.Format(ipvsctl.Table{key: want}) {
			add("%v is not in the table as configured", key)
			continue
		}
		o.restMoment(key, s, table[key].Dests, knows[key]).Ask(func(n int, what string) {
			add("%v: %d, %s: %s", key, n, always.Says[n], what)
		})
	}
	for at, until := range o.mustStay {
		if _, in := table[at.key].Dests.At(at.addr); !in && time.Now().Before(until) {
			add("%v should drain in %v", at.addr, at.key)
		}
	}
	return wrong
}
