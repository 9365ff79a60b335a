package director

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"net/netip"
	"slices"
	"time"

	"ldirectord/ipvsctl"
	"ldirectord/judge"
	"ldirectord/lvs"
)

// change leads one virtual service from what the table has of it to what it should have.
type change struct {
	v       *virtual
	ops     []ipvsctl.Op
	have    ipvsctl.Service
	want    ipvsctl.Service
	refused error // why the table does not take the settings, while servers follow their checks all the same
	err     error // why the rest was not made
}

// step is one operation of a change.
type step struct {
	op *ipvsctl.Op
	of *change
}

// sync makes the table follow every virtual service that changed. It starts from what was written last, so that one
// change is one request. It reads the table only where that is not known, and where a change shows that it is wrong.
// Have, if not nil, is the table as it was just read.
func (d *Director) sync(ctx context.Context, have ipvsctl.Table) {
	var changes []*change
	var unknown []*virtual
	now := time.Now()
	for _, v := range d.virtuals {
		if v.Gathers() {
			v.Away = v.isElsewhere()
			v.dirty = v.dirty || v.HasGathered()
		}
		v.weighed = v.weighed && !v.dirty
		if !v.dirty && !v.Obeys && !v.untold(now) {
			continue
		}
		v.dirty = v.dirty && v.isOurs() // who gets it makes it so
		d.countRerouted(ctx, v)
		decision := d.decide(v)
		switch {
		case !v.dirty || v.retry.After(now) && !v.hasPendingTransition() || d.table.silent() ||
			ctx.Err() != nil:
		case v.Known:
			changes = append(changes, d.newChange(v, v.last(), decision))
		default:
			unknown = append(unknown, v)
		}
	}
	d.endMoved()
	d.carryOut(ctx, changes)
	for _, c := range changes {
		if ipvsctl.IsMissing(c.err) {
			unknown, have = append(unknown, c.v), nil
			continue
		}
		d.conclude(ctx, c)
	}
	d.syncAsRead(ctx, unknown, have)
	d.purge(ctx)
}

// syncAsRead makes the table follow virtual services of which it must be read first.
func (d *Director) syncAsRead(ctx context.Context, virtuals []*virtual, have ipvsctl.Table) {
	if len(virtuals) == 0 || d.table.silent() || ctx.Err() != nil {
		return
	}
	if have == nil {
		var err error
		if have, err = d.table.read(ctx); err != nil {
			for _, v := range virtuals {
				d.failed(ctx, v, err)
			}
			return
		}
	}
	var changes []*change
	for _, v := range virtuals {
		changes = append(changes, d.found(ctx, v, have[v.key]))
	}
	d.settle(ctx, changes)
}

// found takes what was read of a virtual service, if it was there, and returns what is to be changed.
func (d *Director) found(ctx context.Context, v *virtual, have ipvsctl.Service) *change {
	was, known := v.last(), v.Known
	if v.Read(lvs.DestsOf(have.Dests)); known {
		d.notice(v, was, have)
	}
	d.countRerouted(ctx, v)
	return d.newChange(v, have, d.decide(v)) // who was taken out by hand is not held
}

// settle carries changes out and notes how they ended.
func (d *Director) settle(ctx context.Context, changes []*change) {
	d.endMoved()
	d.carryOut(ctx, changes)
	for _, c := range changes {
		d.conclude(ctx, c)
	}
}

func (d *Director) newChange(v *virtual, have ipvsctl.Service, decision judge.Decision) *change {
	d.teller.held(v)
	want := ipvsctl.Service{Key: v.key, Settings: v.settings, Dests: decision.Places}
	v.settingsRejected = false
	return &change{v: v, ops: ipvsctl.DiffService(have, want), have: have, want: want}
}

// countRerouted reads what servers carry, where some are to be reached by gate.
func (d *Director) countRerouted(ctx context.Context, v *virtual) {
	isRerouted := func(s *server) bool {
		now, in := v.Have.At(s.Dest.Addr)
		return in && s.Reroutes(now)
	}
	if !v.isOurs() || !slices.ContainsFunc(v.servers, isRerouted) {
		return
	}
	counters := d.table.counters(ctx, v.key)
	for _, s := range v.servers {
		s.carries, s.counted = counters[s.Dest.Addr]
		s.Counted(s.carries.Active + s.carries.Inactive)
	}
}

// carryOut makes changes in rounds over all virtual services, so that every one has what adds capacity before any loses
// some. One that fails in a round is left alone in the next.
func (d *Director) carryOut(ctx context.Context, changes []*change) {
	for round := range ipvsctl.Rounds {
		var steps []step
		for _, c := range changes {
			for i := range c.ops {
				if op := &c.ops[i]; c.err == nil && op.Round() == round {
					steps = append(steps, step{op, c})
				}
			}
		}
		if round == ipvsctl.Rounds-1 && len(steps) > ipvsctl.Batch {
			// the kernel looks for what comes back among the last removed first: else it looks long
			slices.Reverse(steps)
		}
		for batch := range slices.Chunk(steps, ipvsctl.Batch) {
			d.send(ctx, batch)
		}
	}
}

// send makes the changes of one batch. When the table refuses only the settings of a virtual service, the old ones
// stay.
func (d *Director) send(ctx context.Context, batch []step) {
	if d.table.silent() || ctx.Err() != nil {
		for _, s := range batch {
			s.of.err = cmp.Or(s.of.err, errSilent)
		}
		return
	}
	ops := make([]ipvsctl.Op, len(batch))
	for i, s := range batch {
		ops[i] = *s.op
	}
	for i, err := range d.do(ctx, ops...) {
		switch c, op := batch[i].of, ops[i]; {
		case err == nil:
			c.v.did(op)
		case op.Kind == ipvsctl.EditService && !errors.Is(err, context.DeadlineExceeded) &&
			!ipvsctl.IsMissing(err):
			c.refused, c.v.settingsRejected, c.want.Settings = err, true, c.have.Settings
		default:
			c.err = cmp.Or(c.err, err)
		}
		d.teller.op(batch[i].of.v, ops[i], err)
	}
}

// do asks the table for changes, with a time limit.
func (d *Director) do(ctx context.Context, ops ...ipvsctl.Op) []error {
	limited, ended := d.table.limit(ctx)
	results := d.table.client.Do(limited, ops...)
	for i, op := range ops {
		d.table.asked.count(operation(op.Kind), results[i])
	}
	ended(errors.Join(results...))
	return results
}

// last is the virtual service as it was last written, in a table of its own.
func (v *virtual) last() ipvsctl.Service {
	return (&ipvsctl.Compact{Settings: v.written, Dests: v.Have}).Service(v.key)
}

// did notes a change that was made.
func (v *virtual) did(op ipvsctl.Op) {
	if op.Kind < ipvsctl.DelService {
		v.written = op.Settings
		return
	}
	v.Did(op.Dest, op.Kind == ipvsctl.DelDest)
}

// markWritten notes what the table now has of a virtual service, and runs the hooks that follow from it.
func (d *Director) markWritten(v *virtual, service ipvsctl.Service) {
	v.written, v.placed, v.weighed = service.Settings, true, false
	v.Wrote(lvs.DestsOf(service.Dests))
	maps.DeleteFunc(v.departing, func(addr netip.AddrPort, _ departing) bool { // the next look passes that on
		return v.Leaver(addr) == nil
	})
	d.teller.fallback(v)
	d.tellState(v)
}
