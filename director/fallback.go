package director

import (
	"ldirectord/history"
	"ldirectord/notify"
	"ldirectord/parser"
)

// This file has the fallback servers that are checked, see fallbackcheck. They are the servers of a virtual service of
// their own, which no table has: its checks are made and judged like all others, and decide nothing.

// fallbacks makes the checks of the fallback servers of a virtual service.
func (b *planBuilder) fallbacks(v *virtual) parser.Diagnostics {
	cfg, _ := v.cfg.Fallbacks()
	if cfg == nil {
		return nil
	}
	v.fallbacks = &virtual{}
	found := b.virtual(v.fallbacks, cfg)
	v.fallbacks.Theirs = true
	for _, s := range v.fallbacks.servers {
		s.isFallback = true
	}
	return found
}

// keepFallbacks copies the state of the fallback servers from the former plan.
func (e *examiner) keepFallbacks(v, was *virtual) {
	if v.fallbacks == nil {
		return
	}
	if was != nil && was.fallbacks != nil {
		v.fallbacks.inherit(was.fallbacks)
	}
	e.judgeKnown(v.fallbacks)
}

// turnedFallback tells that a fallback server begins to fail, or passes again.
func (t *teller) turnedFallback(x user, now history.Kind) {
	reason := x.j.reason
	switch {
	case now == history.Down && !x.s.past.IsDown():
		t.report(x.v, x.s, notify.FallbackFails, "Check failed", ": "+reason, reason)
	case now == history.Up:
		t.report(x.v, x.s, notify.FallbackPasses, "Check passes again", "", "")
	}
}

// describeFallback describes the fallback server of a virtual service.
func describeFallback(v *virtual, a *subject) *FallbackSnapshot {
	if v.cfg.Fallback == nil {
		return nil
	}
	now := &FallbackSnapshot{Server: v.cfg.Fallback.Addr.String(), Active: v.FallbackIn,
		ByHand: v.ByHand[v.Fallback.Addr], Rule: v.rules[v.Fallback.Addr].String()}
	if weight, in := v.WeightAt(v.Fallback.Addr); in {
		now.TableWeight = &weight
	}
	if v.fallbacks != nil {
		var s ServerSnapshot
		s.describe(v.fallbacks, v.fallbacks.servers[0], a)
		now.State, now.Reason, now.Conditions = s.State, s.Reason, s.Conditions
		now.Checked, now.Last = s.Checked, s.Last
	}
	return now
}
