package director

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"ldirectord/ipvsctl"
	"ldirectord/lvs"
	"ldirectord/notify"
)

// writer makes the table follow what was decided of virtual services, tries again what failed, and undoes what others
// changed.
type writer struct {
	table
	*services
	others  *claimant // which other daemon has a virtual service, or waits for it
	orders  *orderBook
	remover *remover
	before  func()            // called before the table follows
	wrote   func(...*virtual) // called when the table has what was decided

	unread  string    // why the table could not be read the last time
	counted time.Time // when the counters of the servers were read
}

// writing is what the writer notes of a virtual service.
type writing struct {
	written          ipvsctl.Settings // as last written to the table, while Known
	retry            time.Time        // not before this; zero when the last time went well
	backoff          time.Duration    // the next wait
	again            time.Time        // it is due then though nothing happens; zero: never
	refused          string           // why the table refused the last change; "" when it did not
	dirty            bool             // it is due, see touch
	placed           bool             // the table has it, as far as is known
	settingsRejected bool             // the table refuses the settings, and nothing else
}

// touch makes a virtual service due: the writer decides it next, and has the table follow.
func (n *writing) touch() { n.dirty = true }

// follow makes the table follow, by changes of what is known of it, and virtual services of which it must be read
// first. Have, if not nil, is the table as it was just read.
func (w *writer) follow(ctx context.Context, changes []*change, unknown []*virtual, have ipvsctl.Table) {
	w.carryOut(ctx, changes)
	for _, c := range changes {
		if ipvsctl.IsMissing(c.err) {
			unknown, have = append(unknown, c.v), nil
			continue
		}
		w.conclude(ctx, c)
	}
	w.followAsRead(ctx, unknown, have)
}

// followAsRead makes the table follow virtual services of which it must be read first.
func (w *writer) followAsRead(ctx context.Context, virtuals []*virtual, have ipvsctl.Table) {
	if len(virtuals) == 0 || !w.mayAsk(ctx) {
		return
	}
	if have == nil {
		var err error
		if have, err = w.read(ctx); err != nil {
			for _, v := range virtuals {
				w.failed(ctx, v, err)
			}
			return
		}
	}
	var changes []*change
	for _, v := range virtuals {
		changes = append(changes, w.found(ctx, v, have[v.key]))
	}
	w.settle(ctx, changes)
}

// found takes what was read of a virtual service, if it was there, and returns what is to be changed.
func (w *writer) found(ctx context.Context, v *virtual, have ipvsctl.Service) *change {
	was, known := v.last(), v.Known
	if v.Read(append(lvs.Dests{}, have.Dests...)); known {
		w.notice(v, was, have)
	}
	return w.newChange(v, have, w.decide(ctx, v)) // a server that was taken out by hand is not held
}

// settle carries changes out and notes how they ended.
func (w *writer) settle(ctx context.Context, changes []*change) {
	w.carryOut(ctx, changes)
	for _, c := range changes {
		w.conclude(ctx, c)
	}
}

// countRerouted reads what servers carry, where some are to be reached by gate. While the table is not asked, what was
// read last counts: one that seems to carry nothing would be reached by gate.
func (w *writer) countRerouted(ctx context.Context, v *virtual) {
	isRerouted := func(s *server) bool {
		now, in := v.Have.At(s.Dest.Addr)
		return in && s.Reroutes(now)
	}
	if !v.isOurs() || !v.MayReroute(v.Have) || !slices.ContainsFunc(v.servers, isRerouted) || !w.mayAsk(ctx) {
		return
	}
	counters := w.counters(ctx, v.key)
	for _, s := range v.servers {
		s.carries, s.counted = counters[s.Dest.Addr]
		s.Counted(s.carries.Active + s.carries.Inactive)
	}
}

// conclude notes how the change of a virtual service ended, and runs the hooks that follow from what the table now has.
func (w *writer) conclude(ctx context.Context, c *change) {
	v, err := c.v, cmp.Or(c.err, c.refused)
	if c.err == nil {
		v.written, v.placed, v.weighed = c.want.Settings, true, false
		v.Wrote(c.want.Dests)
		w.tell.fallback(v)
		w.wrote(v)
	}
	switch v.dirty = err != nil; {
	case err == nil:
		w.succeeded(v)
	case !errors.Is(err, errSilent):
		w.failed(ctx, v, err)
	}
}

// leave removes a virtual service for good, if cleanstop says so. Told has the servers that were reported already.
func (w *writer) leave(ctx context.Context, v *virtual, told map[string]bool) error {
	leaving := leavingOf(v, told)
	if !v.cfg.CleanStop || w.others.leaves(v) {
		return nil
	}
	if w.silent() {
		return errSilent
	}
	v.told.stops = true
	return w.remove(ctx, v, leaving...)
}

// remove takes a virtual service out of the table, and with it these servers, which are reported.
func (w *writer) remove(ctx context.Context, v *virtual, leaving ...*server) error {
	op := ipvsctl.Op{Kind: ipvsctl.DelService, Key: v.key}
	if err := w.do(ctx, op)[0]; err != nil {
		return err
	}
	v.placed = false
	for _, s := range leaving {
		text := fmt.Sprintf("Purged real server (stop): %s (%s)", s.label(), v.name)
		w.tell.say(v, s, notify.Purged, text, "")
	}
	w.tell.op(v, op, nil)
	return nil
}
