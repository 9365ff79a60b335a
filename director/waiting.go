package director

import (
	"context"
	"iter"
	"maps"
	"net/netip"

	"ldirectord/parser"
)

// This file is about real servers whose host name has no address yet. They are unknown and in no table. They count as
// down, so that the fallback server can serve. But what the table had of their virtual service at the start may be one
// of them, and is kept as it is until every name has an address. Servers that left the file when such a name came stay
// too, and are checked.

// Refine replaces the current plan by one that differs only in servers whose names have got an address. Unlike a reload
// it keeps overrides. It returns when the table follows, or ctx is done.
func (d *Director) Refine(ctx context.Context, p *Plan) error {
	return d.replace(ctx, p, true)
}

// waits reports whether a server of the virtual service has no address.
func (v *virtual) waits() bool { return len(v.cfg.Waiting) > 0 }

// noAddress is why a server has none.
func noAddress(w parser.Waiting) string { return "no address: " + w.Host + ": " + w.Why }

// inheritFound takes over what was found, but for what has an owner now. When all have an address, the rest goes.
func (v *virtual) inheritFound(was *virtual) {
	if !v.waits() {
		return
	}
	v.waitingSince = was.waitingSince
	if was.found != nil || was.placed { // what a director has set up has owners
		v.found = v.ownerless(maps.Keys(was.found))
	}
}

// ownerless are those of the addresses that nobody owns.
func (v *virtual) ownerless(addrs iter.Seq[netip.AddrPort]) map[netip.AddrPort]bool {
	found := map[netip.AddrPort]bool{}
	for addr := range addrs {
		if v.isNobodys(addr) {
			found[addr] = true
		}
	}
	return found
}

func (v *virtual) isNobodys(addr netip.AddrPort) bool {
	return v.serverAt(addr) == nil && v.leavers[addr] == nil && (v.fallback == nil || v.fallback.Addr != addr)
}

// keepFound keeps what was found as it is, and reports whether any of it serves.
func (v *virtual) keepFound(want, have dests) (serves bool) {
	for addr := range v.found {
		if d, in := have[addr]; in {
			want[addr] = d
			serves = serves || d.Weight > 0
		}
	}
	return serves
}

// foundServes reports whether something serves that was found, as the service was last written.
func (v *virtual) foundServes() bool {
	return v.written != nil && len(v.found) > 0 && v.keepFound(dests{}, v.written.Service(v.key).Dests)
}

// keepOverrides takes over what somebody else did to a virtual service, which orders its servers follow, and what the
// table refused of it.
func (v *virtual) keepOverrides(was *virtual) {
	v.written, v.overridden = was.written, was.overridden
	v.retry, v.settingsRejected, v.refused = was.retry, was.settingsRejected, was.refused
	for _, s := range v.servers {
		if o := was.serverAt(s.dest.Addr); o != nil && o.name() == s.name() {
			s.order, s.maintenance, s.transitioned = o.order, o.maintenance, o.transitioned
		}
	}
}
