package core

import (
	"cmp"
	"maps"
	"net/netip"
	"slices"
	"time"

	"ldirectord/internal/lab/always"
	"ldirectord/internal/lvs"
	"ldirectord/internal/orders"
)

// carry begins or ends the connections of a server, and reports which.
func (o *oracle) carry(a netip.AddrPort) (begin bool) {
	o.busy[a] = !o.busy[a]
	for _, all := range o.drainers() {
		maps.DeleteFunc(all, func(at spot, _ time.Time) bool { return at.addr == a })
	}
	return o.busy[a]
}

// drainers are the records that hold only while a server's connections don't change.
func (o *oracle) drainers() []times { return []times{o.mustStay, o.atZero} }

// noteZero records that the daemon gives a server weight 0. Without draintime it stays as long as its connections.
func (o *oracle) noteZero(op lvs.Op, after lvs.VirtualService) {
	at := spot{op.Key, op.Dest.Addr}
	d, in := after.Dests.At(at.addr)
	if _, was := o.atZero[at]; op.Kind < lvs.AddDest || was && in && d.Weight == 0 {
		return
	}
	delete(o.atZero, at)
	for _, f := range o.files {
		if s, ours := f[addrOf(op.Key)]; ours && in && d.Weight == 0 && o.busy[at.addr] {
			o.atZero[at] = earliest(o.atZero[at], o.now.Add(s.drains()))
		}
	}
}

// drains is how long a server of a section may drain. Without draintime there is no limit.
func (s section) drains() time.Duration {
	return cmp.Or(time.Duration(s.DrainTime)*time.Second, 1000*time.Hour)
}

// leave records which servers leave with another file. The daemon began to read it at began, and before is the table
// then.
func (o *oracle) leave(next file, before lvs.Table, began time.Time) {
	may, must := times{}, times{}
	for addr, s := range next {
		key, drain := keyFor(addr), time.Duration(s.DrainTime)*time.Second
		was := o.files[0][addr]
		for at, until := range o.atZero {
			if at.key == key {
				until = earliest(o.mayStay[at], until) // it had already left the file
				o.atZero[at] = earliest(until, began.Add(s.drains()))
			}
		}
		for _, dest := range before[key].Dests {
			a := dest.Addr
			at := spot{key, a}
			_, stays := s.entry(a)
			e, known := was.entry(a)
			_, isZero := o.atZero[at]
			until, left := o.mayStay[at]
			if drain == 0 || stays || !known && !left || o.role != inService || o.taken[key] {
				continue
			}
			may[at] = earliest(until, o.now.Add(drain))
			// a backup server may have drained before, even while the table refused changes
			if _, sure := o.mustStay[at]; o.busy[a] && o.left != 0 && !o.touched[at] &&
				(sure || known && (isZero || !e.backup)) {
				if must[at] = earliest(o.mustStay[at], began.Add(drain)); e.backup && isZero {
					must[at] = earliest(must[at], o.atZero[at])
				}
			}
		}
	}
	o.mayStay, o.mustStay = may, must
}

// mustDrain reports whether a server left the file and has had connections ever since. One at a former address may
// still serve instead. Maintenance takes it out as it does servers of the file.
func (o *oracle) mustDrain(key lvs.Key, s section, addr netip.AddrPort) bool {
	e, known := entryAt(s.places(), addr)
	switch {
	case known && !e.elsewhere:
		return false
	case known && !s.Quiescent &&
		(o.isMaintained(key, e) || o.orderFor(key, e, o.grace()).Kind == orders.Maint ||
			o.disturbedLately(addr)):
		return false
	}
	return s.DrainTime > 0 && o.now.Before(o.mustStay[spot{key, addr}])
}

// restsOn are the backup servers that drain because they are no longer needed, and have had connections ever since.
func (o *oracle) restsOn(key lvs.Key, s section) (list []always.Departure) {
	for at, until := range o.atZero {
		e, in := s.entry(at.addr)
		if at.key == key && in && e.backup && !o.touched[at] && !o.unseen[at] && o.now.Before(until) {
			list = append(list, always.Departure{Addr: at.addr, Stays: true})
		}
	}
	return list
}

// mayLeave reports whether a server may still be leaving. When one at a former address began to leave is not known.
func (o *oracle) mayLeave(key lvs.Key, s section, addr netip.AddrPort) bool {
	until, left := o.mayStay[spot{key, addr}]
	e, known := entryAt(s.places(), addr)
	endless := known && e.elsewhere && e.backup && s.DrainTime == 0
	drains := isHome(addr) && time.Duration(s.DrainTime)*time.Second > quietTime || endless
	began := slices.ContainsFunc(s.Servers, func(now entry) bool { // when an order for the new address ended
		return now.name == e.name && o.orderFor(key, now, 0) != o.orderFor(key, now, 5*LookInterval)
	})
	return isHome(addr) && began || o.busy[addr] && (drains || left && o.since(until) < 2*LookInterval)
}
