package director

import (
	"context"
	"errors"
	"slices"

	"ldirectord/ipvsctl"
	"ldirectord/judge"
	"ldirectord/lvs"
)

// change is the write of one virtual service.
type change struct {
	v *virtual
	*judge.Write
}

// newChange returns the change from the current table to the decision.
func (w *writer) newChange(v *virtual, have lvs.VirtualService, decision judge.Decision) *change {
	tellHeld(&w.tell, v)
	want := lvs.VirtualService{Key: v.Key(), Settings: v.Settings, Dests: lvs.DestsOf(decision.Places)}
	return &change{v, judge.NewWrite(&v.Case, have, want)}
}

// carryOut makes changes.
func (w *writer) carryOut(ctx context.Context, changes []*change) {
	w.before()
	all := make([]*judge.Write, len(changes))
	for i, c := range changes {
		all[i] = c.Write
	}
	writes := judge.NewWrites(all)
	for ops := writes.Next(); len(ops) > 0; ops = writes.Next() {
		if !w.mayAsk(ctx) {
			writes.Skip(errSilent)
			continue
		}
		for i, err := range w.do(ctx, ops...) {
			of := writes.Answered(i, answerOf(err), err)
			w.tell.op(changes[of].v, ops[i], err)
		}
	}
	for _, c := range changes {
		c.v.written, c.v.retry.SettingsOnly = c.Written, c.Refused != nil
	}
}

// answerOf is the answer that an error of the table is.
func answerOf(err error) judge.Answer {
	switch {
	case err == nil:
		return judge.Done
	case errors.Is(err, context.DeadlineExceeded):
		return judge.Unanswered
	case ipvsctl.IsMissing(err):
		return judge.Missing
	}
	return judge.Refused
}

// do sends changes to the table, with a time limit.
func (w *writer) do(ctx context.Context, ops ...lvs.Op) []error {
	limited, ended := w.limit(ctx)
	results := w.client.Do(limited, ops...)
	for i, op := range ops {
		w.asked.Add(int(op.Kind), results[i])
	}
	ended(errors.Join(results...))
	return results
}

// last is the virtual service as it was last written.
func (v *virtual) last() lvs.VirtualService {
	return lvs.VirtualService{Key: v.Key(), Settings: v.written, Dests: slices.Clone(v.Have)}
}
