package director

import (
	"cmp"
	"context"
	"errors"
	"slices"

	"ldirectord/ipvsctl"
	"ldirectord/judge"
	"ldirectord/lvs"
)

// change turns the current table entries of one virtual service into the desired ones.
type change struct {
	v       *virtual
	ops     []lvs.Op
	have    lvs.VirtualService
	want    lvs.VirtualService
	refused error // why the table refuses the settings; its servers still follow their checks
	err     error // why the rest failed
	partly  bool  // err is only about real servers that the table refuses
}

// step is one operation of a change.
type step struct {
	op *lvs.Op
	of *change
}

// newChange returns the change from the current table to the decision.
func (w *writer) newChange(v *virtual, have lvs.VirtualService, decision judge.Decision) *change {
	tellHeld(&w.tell, v)
	want := lvs.VirtualService{Key: v.key, Settings: v.settings, Dests: lvs.DestsOf(decision.Places)}
	v.settingsRejected = false
	return &change{v: v, ops: lvs.DiffService(have, want), have: have, want: want}
}

// carryOut makes changes in rounds over all virtual services: first everything that adds capacity, then everything that
// removes some. A change that fails in one round is skipped in the next, except for servers that are not up: a server
// that the table refuses must not keep another one in service whose checks fail.
func (w *writer) carryOut(ctx context.Context, changes []*change) {
	w.before()
	for round := range lvs.Rounds {
		var steps []step
		for _, c := range changes {
			for i := range c.ops {
				if op := &c.ops[i]; (c.err == nil || c.takesOut(op)) && op.Round() == round {
					steps = append(steps, step{op, c})
				}
			}
		}
		if round == lvs.Rounds-1 && len(steps) > lvs.Batch {
			// the kernel searches its list of removed destinations from the latest on; another order would
			// be slow
			slices.Reverse(steps)
		}
		for batch := range slices.Chunk(steps, lvs.Batch) {
			w.send(ctx, batch)
		}
	}
}

// takesOut reports whether an operation takes a server that is not up out of service, although the table refuses
// another server. A server that is up stays, as does the fallback server: the refused one may have to replace it.
func (c *change) takesOut(op *lvs.Op) bool {
	out := op.Kind == lvs.DelDest || op.Kind == lvs.EditDest && op.Dest.Weight == 0
	s := c.v.serverAt(op.Dest.Addr)
	return c.partly && out && s != nil && !s.IsUp()
}

// send makes the changes of one batch. If the table refuses only the settings of a virtual service, the old settings
// stay.
func (w *writer) send(ctx context.Context, batch []step) {
	if !w.mayAsk(ctx) {
		for _, s := range batch {
			s.of.err = cmp.Or(s.of.err, errSilent)
		}
		return
	}
	ops := make([]lvs.Op, len(batch))
	for i, s := range batch {
		ops[i] = *s.op
	}
	for i, err := range w.do(ctx, ops...) {
		c, op := batch[i].of, ops[i]
		switch {
		case err == nil && op.Kind < lvs.DelService:
			c.v.written = op.Settings
		case err == nil:
			c.v.Did(op.Dest, op.Kind == lvs.DelDest)
		case op.Kind == lvs.EditService && !errors.Is(err, context.DeadlineExceeded) &&
			!ipvsctl.IsMissing(err):
			c.refused, c.v.settingsRejected, c.want.Settings = err, true, c.have.Settings
		default:
			c.partly = (c.err == nil || c.partly) && c.refusesServer(op, err)
			c.err = cmp.Or(c.err, err)
		}
		w.tell.op(c.v, op, err)
	}
}

// refusesServer reports whether the table refuses to add or to edit a real server. A fallback server is not one:
// without it the last server stays.
func (c *change) refusesServer(op lvs.Op, err error) bool {
	return (op.Kind == lvs.AddDest || op.Kind == lvs.EditDest) && c.v.serverAt(op.Dest.Addr) != nil &&
		!errors.Is(err, context.DeadlineExceeded) && !ipvsctl.IsMissing(err)
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
	return lvs.VirtualService{Key: v.key, Settings: v.written, Dests: slices.Clone(v.Have)}
}
