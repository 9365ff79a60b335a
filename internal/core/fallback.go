package core

import (
	"slices"
	"strings"

	"ldirectord/internal/history"
	"ldirectord/internal/judge"
	"ldirectord/internal/notify"
	"ldirectord/internal/view"
)

// members returns the servers in the order that judge uses.
func (v *virtual) members() []*server { return v.all[:len(v.Members)] }

func (v *virtual) fallbackServers() []*server { return v.all[len(v.Members):] }

// entries returns the real servers and the fallback servers.
func (v *virtual) entries() []*server { return slices.Concat(v.servers, v.fallbackServers()) }

// formerly returns the same fallback server in a former plan. It returns nil if that plan did not have it, or if only
// one of the two is checked.
func (v *virtual) formerly(s *server) *server {
	for _, old := range v.fallbackServers() {
		if old.Dest.Addr == s.Dest.Addr && old.Unchecked == s.Unchecked {
			return old
		}
	}
	return nil
}

// turnedFallback reports that a fallback server has begun to fail or passes again.
func (t *teller) turnedFallback(x user, now history.Kind) {
	reason := x.j.reason
	switch {
	case now == history.Down && !x.s.past.IsDown():
		t.report(x.v, x.s, notify.FallbackFails, "Check failed", ": "+reason, reason)
	case now == history.Up:
		t.report(x.v, x.s, notify.FallbackPasses, "Check passes again", "", "")
	}
}

// describeFallbacks describes the fallback servers of a virtual service.
func describeFallbacks(now *view.Virtual, v *virtual, a *subject) {
	for i, one := range v.fallbackServers() {
		f := describeFallback(v, one, a)
		if i == 0 {
			now.Fallback = f
		} else {
			now.AlsoFallbacks = append(now.AlsoFallbacks, f)
		}
	}
}

func describeFallback(v *virtual, one *server, a *subject) *view.Fallback {
	addr := one.Dest.Addr
	now := &view.Fallback{Server: one.entry.Name(), Active: v.FallbackIn && v.IsIn(one.Member),
		ByHand: v.ByHand[addr], Rule: v.rules[addr].String()}
	if weight, in := v.weightAt(addr); in {
		now.TableWeight = &weight
	}
	if !one.Unchecked {
		var s view.Server
		describe(&s, v, one, a)
		now.State, now.Reason, now.Conditions = s.State, s.Reason, s.Conditions
		now.Checked, now.Last = s.Checked, s.Last
	}
	return now
}

var fallbackFailsKind = kind{name: "fallback fails", trouble: judge.Doubt,
	says: func(a *subject) string {
		var fail []string
		for _, one := range a.v.fallbackServers() {
			its := subject{View: a.View}
			its.about(a.v, one)
			if says := downKind.says(&its); says != "" {
				fail = append(fail, "the fallback "+one.entry.Name()+" fails: "+says)
			}
		}
		return strings.Join(fail, "; ")
	}}
