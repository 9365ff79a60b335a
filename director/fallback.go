package director

import (
	"ldirectord/ipvsctl"
)

// isFallback reports whether a change is one of the fallback server. Its address may also be that of a real server, s.
func (v *virtual) isFallback(op ipvsctl.Op, s *server) bool {
	switch {
	case v.Fallback.Addr != op.Dest.Addr:
		return false
	case op.Kind == ipvsctl.DelDest:
		return s == nil || v.FallbackIn
	default:
		return op.Dest.Weight > 0 && !v.ServedBy(op.Dest.Addr)
	}
}
