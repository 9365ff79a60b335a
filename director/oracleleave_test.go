package director

import (
	"context"
	"net/netip"
	"slices"
	"time"

	"ldirectord/ipvsctl"
	"ldirectord/lvs"
)

// leaveOracle is what the oracle knows of servers that left the file.
type leaveOracle struct {
	busy     map[netip.AddrPort]bool // servers with connections
	touched  map[spot]bool           // by hand since the file was taken
	mayStay  map[spot]time.Time      // no longer than until then, with connections, at weight 0
	mustStay map[spot]time.Time      // until then at least: connections all the time, and nothing else happened to them
	recorded []Leaver                // by the daemon for the next one
}

func newLeaveOracle() leaveOracle {
	return leaveOracle{
		busy: map[netip.AddrPort]bool{}, touched: map[spot]bool{}, mayStay: map[spot]time.Time{}, mustStay: map[spot]time.Time{},
	}
}

// carry notes that connections of a server begin or end, and tells which.
func (o *oracle) carry(a netip.AddrPort) (begin bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.busy[a] = !o.busy[a]
	for at := range o.mustStay {
		if at.addr == a {
			delete(o.mustStay, at)
		}
	}
	return o.busy[a]
}

// touch notes a change by hand.
func (o *oracle) touch(op ipvsctl.Op) {
	if op.Kind >= ipvsctl.AddDest {
		o.touched[spot{op.Key, op.Dest.Addr}] = true
		delete(o.mustStay, spot{op.Key, op.Dest.Addr})
		return
	}
	for at := range o.mustStay {
		if at.key == op.Key {
			delete(o.mustStay, at)
		}
	}
}

// leave notes who leaves with another file, which a daemon took over since a moment, when the table was like this.
func (o *oracle) leave(next file, before ipvsctl.Table, began time.Time) {
	o.mu.Lock()
	defer o.mu.Unlock()
	may, must := map[spot]time.Time{}, map[spot]time.Time{}
	for addr, s := range next {
		key, drain := keyFor(addr), time.Duration(s.drain)*time.Second
		was := o.files[0][addr]
		for a := range before[key].Dests {
			at := spot{key, a}
			_, stays := s.entry(a)
			_, known := was.entry(a)
			until, left := o.mayStay[at]
			if drain == 0 || stays || !known && !left || o.role != inService {
				continue
			}
			may[at] = earlier(until, time.Now().Add(drain))
			if _, sure := o.mustStay[at]; o.busy[a] && o.left != 0 && !o.touched[at] && (sure || known) {
				must[at] = earlier(o.mustStay[at], began.Add(drain))
			}
		}
	}
	o.mayStay, o.mustStay = may, must
}

// mustDrain reports whether a server left the file and has had connections ever since. One that moved away may serve on
// instead: maintenance takes it out as it does those of the file.
func (o *oracle) mustDrain(key lvs.Key, s section, addr netip.AddrPort) bool {
	e, known := entryAt(s.places(), addr)
	switch {
	case known && !e.elsewhere:
		return false
	case known && !s.quiescent && (o.isMaintained(key, e) || o.orderFor(key, e, grace).Kind == Maint || o.disturbedLately(addr)):
		return false
	default:
		return s.drain > 0 && time.Now().Before(o.mustStay[spot{key, addr}])
	}
}

// earlier is the earlier of two times, of which the first may be zero.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || b.Before(a) {
		return b
	}
	return a
}

// withoutLeavers is a table without those who left the file and may still be there.
func (o *oracle) withoutLeavers(table ipvsctl.Table) ipvsctl.Table {
	var gone []spot
	defer func() {
		for _, at := range gone {
			o.complain("%v should drain in %v", at.addr, at.key)
		}
	}()
	o.mu.Lock()
	defer o.mu.Unlock()
	for at, until := range o.mayStay {
		d, in := table[at.key].Dests[at.addr]
		if in && !o.servesOn[at] && d.Weight == 0 && o.busy[at.addr] && time.Since(until) < 2*lookInterval {
			delete(table[at.key].Dests, at.addr)
		}
		if !in && time.Now().Before(o.mustStay[at]) {
			gone = append(gone, at)
		}
	}
	o.withoutMoved(table)
	return table
}

// recordLeavers is what a daemon records for the next one, as long as it lives.
func (o *oracle) recordLeavers(all []Leaver) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.left != 0 {
		o.recorded = slices.Clone(all)
	}
}

func (o *oracle) recordedLeavers() []Leaver {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.recorded
}

// Services tells the connections of those that are busy.
func (w *watched) Services(ctx context.Context, keys ...lvs.Key) (ipvsctl.Table, error) {
	if err := w.o.refuses(false); err != nil {
		return nil, err
	}
	table, err := w.Memory.Services(ctx, keys...)
	w.o.mu.Lock()
	defer w.o.mu.Unlock()
	for _, service := range table {
		dests := service.Counters
		for a := range dests {
			if w.o.busy[a] {
				dests[a] = ipvsctl.Counters{Active: 1}
			}
		}
	}
	return table, err
}
