package director

import (
	"maps"
	"net/netip"
	"time"

	"ldirectord/ipvsctl"
	"ldirectord/lvs"
	"ldirectord/orders"
)

// carry notes that connections of a server begin or end, and tells which.
func (o *oracle) carry(a netip.AddrPort) (begin bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.busy[a] = !o.busy[a]
	maps.DeleteFunc(o.mustStay, func(at spot, _ time.Time) bool { return at.addr == a })
	return o.busy[a]
}

// leave notes who leaves with another file, which a daemon took over since a moment, when the table was like this.
func (o *oracle) leave(next file, before ipvsctl.Table, began time.Time) {
	o.mu.Lock()
	defer o.mu.Unlock()
	may, must := map[spot]time.Time{}, map[spot]time.Time{}
	for addr, s := range next {
		key, drain := keyFor(addr), time.Duration(s.drain)*time.Second
		was := o.files[0][addr]
		for _, dest := range before[key].Dests {
			a := dest.Addr
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
	case known && !s.quiescent &&
		(o.isMaintained(key, e) || o.orderFor(key, e, grace).Kind == orders.Maint || o.disturbedLately(addr)):
		return false
	}
	return s.drain > 0 && time.Now().Before(o.mustStay[spot{key, addr}])
}

// earlier is the earlier of two times, of which the first may be zero.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || b.Before(a) {
		return b
	}
	return a
}

// mayLeave reports whether a server may still leave. When one that moved away began to is not known.
func (o *oracle) mayLeave(key lvs.Key, s section, addr netip.AddrPort) bool {
	until, left := o.mayStay[spot{key, addr}]
	e, known := entryAt(s.places(), addr)
	endless := known && e.elsewhere && e.backup && s.drain == 0
	drains := isHome(addr) && time.Duration(s.drain)*time.Second > quietTime || endless
	return o.busy[addr] && (drains || left && time.Since(until) < 2*lookInterval)
}
