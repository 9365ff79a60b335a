package director

import (
	"net/netip"
	"slices"

	"ldirectord/checker/health"
	"ldirectord/ipvsctl"
	"ldirectord/parser"
)

// wantsFallback reports whether the fallback server should serve: while every real server is down and none is unknown.
// While one is unknown and none is up, it stays as it is.
func (v *virtual) wantsFallback(up, unknown bool, have dests) bool {
	if v.fallback == nil || up {
		return false
	}
	if v.cfg.CheckType == parser.Off && !v.cfg.OwnFallback {
		return false
	}
	if !unknown {
		return true
	}
	return have[v.fallback.Addr].Weight > 0 || v.fallbackIn
}

// fallbackWantedNow reports whether the fallback server is wanted, and whether that is known.
func (v *virtual) fallbackWantedNow() (wanted, known bool) {
	up, known := v.available()
	return known && v.wantsFallback(up, false, nil), known && v.fallback != nil
}

// servedBy reports whether an address belongs to a real server that is up.
func (v *virtual) servedBy(addr netip.AddrPort) bool {
	return slices.ContainsFunc(v.at(addr), func(s *server) bool { return s.state() == health.Up && !s.drained() })
}

// isFallback reports whether a change is one of the fallback server. Its address may also be that of a real server, s.
func (v *virtual) isFallback(op ipvsctl.Op, s *server) bool {
	switch {
	case v.fallback == nil || v.fallback.Addr != op.Dest.Addr:
		return false
	case op.Kind == ipvsctl.DelDest:
		return s == nil || v.fallbackIn
	default:
		return op.Dest.Weight > 0 && !v.servedBy(op.Dest.Addr)
	}
}
