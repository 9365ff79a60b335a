package director

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"ldirectord/checker/health"
	"ldirectord/ipvsctl"
	"ldirectord/notify"
)

// checkDrift compares the table with what was written last, and undoes what somebody else changed: the settings and
// the removal of a virtual service always, real servers as repair says.
func (d *Director) checkDrift(ctx context.Context) {
	if d.table.silent() {
		return
	}
	table, err := d.table.read(ctx)
	if ctx.Err() != nil {
		return
	}
	d.teller.trouble(&d.unread, err, notify.TableError, "Table can't be read", notify.TableRecovered,
		"Table can be read again")
	if err != nil {
		return
	}
	if noteCounters(d.virtuals, table) {
		d.counted = time.Now()
	}
	var changes []*change
	for _, v := range d.ours {
		// its connections may have ended
		v.dirty = v.dirty || slices.ContainsFunc(v.servers, func(s *server) bool { return s.rerouted })
		if have := table[v.key]; v.written != nil && (have.Key != v.key || !v.written.Is(have)) {
			changes = append(changes, d.found(ctx, v, have))
		}
	}
	d.settle(ctx, changes)
}

// noteCounters notes what the servers carry, as the table was read, and reports whether that is known.
func noteCounters(virtuals []*virtual, table ipvsctl.Table) (known bool) {
	for _, v := range virtuals {
		counters := table[v.key].Counters
		known = known || counters != nil
		for _, s := range v.servers {
			s.carries, s.counted = counters[s.dest.Addr]
		}
	}
	return known
}

// notice reports once what somebody else changed since the service was written. Such a change of a server is kept until
// that server's next transition or a reload, unless a file in maintenancedir or the directive repair is against it.
func (d *Director) notice(v *virtual, have ipvsctl.Service) {
	if v.written == nil {
		return
	}
	if have.Key != v.key {
		d.teller.override(v, netip.AddrPort{}, "the virtual service was removed; restoring it")
		clear(v.overridden)
		v.written, v.placed = nil, false
		return
	}
	empties := d.beside[v.key] != "" && !serving(have.Dests)
	ops := ipvsctl.DiffService(v.written.Service(v.key), have)
	slices.SortStableFunc(ops, func(a, b ipvsctl.Op) int { return a.Dest.Addr.Compare(b.Dest.Addr) })
	for _, op := range ops {
		if op.Kind == ipvsctl.EditService {
			d.teller.override(v, netip.AddrPort{}, "the virtual service was changed; restoring it")
		} else {
			d.noticeDest(v, op, empties)
		}
	}
	v.written = ipvsctl.CompactOf(ipvsctl.Service{Settings: v.written.Settings, Dests: have.Dests})
}

// noticeDest takes what somebody else did to a destination. What another director empties is restored.
func (d *Director) noticeDest(v *virtual, op ipvsctl.Op, empties bool) {
	addr, in, what := op.Dest.Addr, true, fmt.Sprintf("has weight %d", op.Dest.Weight)
	switch op.Kind {
	case ipvsctl.AddDest:
		what = "was added"
	case ipvsctl.DelDest:
		in, what = false, "was removed"
	}
	s := v.serverAt(addr)
	keptOut := s != nil && s.suspended() != ""
	if !v.found[addr] && (v.cfg.Repair || empties || keptOut && (in || d.global.ReaddQuiescent)) {
		d.teller.override(v, addr, what+"; restoring it")
		delete(v.overridden, addr)
		return
	}
	if v.overridden == nil {
		v.overridden = map[netip.AddrPort]bool{}
	}
	v.overridden[addr] = true
	d.teller.override(v, addr, what+"; kept until its next change of state or a reload")
}

// release ends the overrides of servers whose state has changed, and of the fallback server. A server that went down
// and was removed by somebody else stays away, unless it is to be quiescent again (readdquiescent).
func (d *Director) release(v *virtual, have dests) {
	for _, s := range v.servers {
		if !s.transitioned || !v.overridden[s.dest.Addr] {
			continue
		}
		_, in := have[s.dest.Addr]
		if s.state() == health.Down && !in && !d.global.ReaddQuiescent {
			continue
		}
		delete(v.overridden, s.dest.Addr)
	}
	if wanted, known := v.fallbackWantedNow(); known && wanted != v.fallbackWanted {
		delete(v.overridden, v.fallback.Addr)
	}
}
