package core

import (
	"net/netip"
	"slices"

	"ldirectord/internal/judge"
	"ldirectord/internal/lvs"
)

// change is a pending write to the table for one virtual service.
type change struct {
	v *virtual
	*judge.Write
}

// newChange returns the change that makes the table match the decision. If it matches already, the change contains no
// operations: nothing is sent, and the change succeeds. newChange also records which servers are held.
func (w *writer) newChange(v *virtual, have lvs.VirtualService, decision judge.Decision) *change {
	tellHeld(&w.tell, v)
	want := lvs.VirtualService{Key: v.Key(), Settings: v.Settings, Dests: lvs.DestsOf(decision.Places)}
	return &change{v, judge.NewWrite(&v.Case, have, want)}
}

// record ends the checks of servers that moved away and are no longer needed. It then passes on what the next daemon
// has to know of the leaving servers, and of those that movers records. It is called before the table changes.
func (w *writer) record() {
	if w.examiner.endMoved() || w.left {
		w.left = false
		w.departures.record()
	}
	w.movers.record(false)
}

// carryOut writes changes to the table, in the order of judge.Writes, and reports each operation.
func (w *writer) carryOut(changes []*change) {
	w.record()
	all := make([]*judge.Write, len(changes))
	for i, c := range changes {
		all[i] = c.Write
	}
	writes := judge.NewWrites(all)
	for ops := writes.Next(); len(ops) > 0; ops = writes.Next() {
		if !w.mayAsk() {
			writes.Skip(errSilent)
			continue
		}
		for i, o := range w.do(ops...) {
			of := writes.Answered(i, o)
			w.tell.op(changes[of].v, ops[i], o.Err)
		}
	}
	for _, c := range changes {
		c.v.written, c.v.retry.SettingsOnly = c.Written, c.Refused != nil && c.Err == nil
		c.v.placed = c.v.placed || c.Written != lvs.Settings{} // even if the table refuses some of its servers
	}
}

// weightAt returns the weight of a destination, and whether the table has it, as last known. Unlike
// judge.State.WeightAt, it also uses what was read before the first write, and what was known before a write failed. A
// failed change may still have been carried out in part.
func (v *virtual) weightAt(addr netip.AddrPort) (weight uint32, in bool) {
	have := v.Have
	if have == nil {
		have = v.Last
	}
	dest, in := have.At(addr)
	return dest.Weight, in
}

// last returns the virtual service as it was last written.
func (v *virtual) last() lvs.VirtualService {
	return lvs.VirtualService{Key: v.Key(), Settings: v.written, Dests: slices.Clone(v.Have)}
}
