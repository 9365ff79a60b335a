package parser

import (
	"net/netip"
	"slices"

	"ldirectord/internal/lvs"
)

// This file decides how fallback servers are checked, by fallbackcheck.

// Fallbacks returns a section whose real servers are the fallback servers of v. The returned section has one check, and
// an empty Policy. It is nil if the fallback servers are not checked. If fallbackcheck has no effect, why contains the
// reason.
func (v *Virtual) Fallbacks() (one *Virtual, why string) {
	switch {
	case v.FallbackCheck != Connect && v.FallbackCheck != "section":
		return nil, ""
	case len(v.AllFallbacks) == 0:
		return nil, "there is no fallback"
	}
	one = new(*v)
	one.also, one.Waiting, one.Staying, one.MonitorFile = nil, nil, nil, ""
	one.Policy, one.CheckVIP, one.Observe, one.Watch = lvs.Policy{}, netip.Addr{}, 0, Watch{}
	if v.FallbackCheck == Connect {
		one.CheckType, one.CheckPort = Connect, 0
	}
	one.Reals, one.AllFallbacks = v.AllFallbacks, nil
	switch {
	case v.CheckType == Off && !v.HasOwnFallback():
		why = "with checktype=off the global fallback never serves"
	case one.checksNothing():
		why = "checktype=" + one.CheckType + " checks nothing"
	case one.CheckType == Negotiate && one.Service == "none":
		why = "service=none checks nothing"
	case v.FallbackCheck == Connect && v.Protocol == lvs.UDP:
		why = "connect needs TCP, but the service uses UDP; fallbackcheck=section makes the section's own check"
	case !one.Pings() && !one.runsCommand() && slices.ContainsFunc(one.Reals, one.hasNoPort):
		why = "a fallback has no port"
	default:
		return one, ""
	}
	return nil, why
}

// neverChecksFallback returns the reason why the fallbackcheck of a virtual service has no effect, or "".
func (v *Virtual) neverChecksFallback() string {
	_, why := v.Fallbacks()
	if why != "" {
		why = "fallbackcheck has no effect: " + why
	}
	return why
}

func (v *Virtual) hasNoPort(r Real) bool { return v.PortOf(&r) == 0 }
