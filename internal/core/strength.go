package core

import (
	"fmt"
	"slices"

	"ldirectord/internal/judge"
	"ldirectord/internal/view"
	"ldirectord/parser"
)

// low returns LOW of minservers, or 0 without the directive.
func (v *virtual) low() int {
	if v.Config.MinServers.Low.N == 0 {
		return 0
	}
	low, _ := v.MinServers.Of(v.Weighted())
	return low
}

// minServers describes minservers. It returns nil without the directive.
func (v *virtual) minServers() *view.MinServers {
	if v.Config.MinServers.Low.N == 0 {
		return nil
	}
	now := v.Case
	now.Weigh()
	n := &now.Strength
	return &view.MinServers{Up: n.Up, Needed: n.Needed, Enough: n.Enough, Low: v.low()}
}

// servesNothing reports whether clients of a virtual service that this director serves get no answers: according to
// what is last known of the table, no server has a weight above 0. With checktype = off that is intended, so it returns
// false.
func (v *virtual) servesNothing() bool {
	known := v.LastKnown()
	return v.IsOurs() && known != nil && !known.Serve() && v.Config.CheckType != parser.Off
}

// isRefused reports whether the table refuses the servers and has none in service, not even one that has left the file.
func (v *virtual) isRefused() bool {
	serves := func(s *server) bool { return v.InService(s.Server) }
	return !v.Known && len(v.Found) == 0 && v.Unreplaced() == 0 && !slices.ContainsFunc(v.servers, serves)
}

// shortKind holds while orders, files in maintenancedir and servers' reports leave fewer servers that pass than
// keepserving or minservers require.
var shortKind = kind{name: "short", trouble: judge.Doubt, says: func(a *subject) string {
	least, serve := max(a.v.Quota(), a.v.low()), 0
	if least == 0 {
		return ""
	}
	var out []string
	for _, s := range a.v.servers {
		switch serves := a.v.InService(s.Server); {
		case serves && !s.Held:
			serve++
		case !serves && (s.Suspended() || s.IsDraining()): // not one that fails
			out = append(out, s.entry.Name())
		}
	}
	if serve >= least || len(out) == 0 || !a.v.IsOurs() || a.v.Obeys {
		return ""
	}
	return fmt.Sprintf("orders, maintenance or their own reports take out %s: %s in service, %d required",
		view.Listed(out), view.Plural(serve, "passing server"), least)
}}

var nothingServesKind = kind{name: "nothing serves", trouble: judge.Broken,
	says: func(a *subject) string {
		if !a.v.servesNothing() {
			return ""
		}
		fallback := "the fallback stays out"
		if len(a.v.Fallbacks) == 0 {
			fallback = "there is no fallback"
		}
		return "no server serves, and " + fallback + ": clients get nothing"
	}}

var noWeightKind = kind{name: "no weight", trouble: judge.Broken, says: func(a *subject) string {
	passes := func(s *server) bool { return s.IsUp() && !s.Held && !a.v.ByHand[s.Dest.Addr] }
	if !a.v.Known || !a.v.servesNothing() || !slices.ContainsFunc(a.v.servers, passes) {
		return ""
	}
	return "the servers that pass have weight 0, which keeps a fallback out"
}}
