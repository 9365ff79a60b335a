package judge

import (
	"slices"

	"ldirectord/internal/lvs"
)

// Programs set the rules that give packets their firewall marks, and that takes time. Meanwhile packets get the old
// mark, or none. A virtual service must not be removed while packets still need it, and an address must not be
// announced before its packets have a service.

// Marks is the state of a director's mark rules.
type Marks struct {
	Kept   bool           // the director sets mark rules; otherwise none are needed
	Want   []lvs.MarkRule // of all virtual services that may be in the table
	Busy   bool           // an order is due or in progress
	Fails  bool           // the last order failed
	Looked bool           // an order was carried out, so no rule of a previous daemon is left

	set    []lvs.MarkRule // by the last order that did not fail
	byMark map[uint32][]lvs.MarkRule
}

// Took notes that an order set exactly these rules, and reports whether they differ from the previous ones.
func (m *Marks) Took(rules []lvs.MarkRule) (changed bool) {
	m.Looked = true
	if sameRules(rules, m.set) {
		return false
	}
	m.set, m.byMark = rules, map[uint32][]lvs.MarkRule{}
	for _, r := range rules {
		m.byMark[r.Mark] = append(m.byMark[r.Mark], r)
	}
	return true
}

// NeedsOrder reports whether rules have to be set or removed. If there are no rules, the daemon starts without waiting
// for the programs that set them.
func (m *Marks) NeedsOrder() bool {
	return m.Kept && (len(m.Want) > 0 || len(m.set) > 0 || m.Busy || m.Fails)
}

// NeedsLook reports whether rules have to be checked again. They do if there are rules, if an order failed, or if the
// previous daemon may have left some.
func (m *Marks) NeedsLook() bool { return m.Kept && (len(m.Want) > 0 || m.Fails || !m.Looked) }

// IsClear reports whether there are no rules to remove when the director stops.
func (m *Marks) IsClear() bool { return !m.Kept || m.Looked && len(m.Want) == 0 && len(m.set) == 0 }

// isChanging reports whether rules are about to change. Until they do, virtual services that get packets because of the
// present rules must stay.
func (m *Marks) isChanging() bool { return m.Busy && !m.Fails && !sameRules(m.Want, m.set) }

// Has reports whether the rules of a section are set, or are not needed.
func (m *Marks) Has(rules []lvs.MarkRule) bool {
	return !m.Kept || !slices.ContainsFunc(rules, func(r lvs.MarkRule) bool { return !m.isSet(r) })
}

func (m *Marks) isSet(r lvs.MarkRule) bool { return slices.ContainsFunc(m.byMark[r.Mark], r.Equal) }

// Holds reports whether a virtual service that left the file must still serve because of mark rules. It must while the
// rules are about to change, and while packets still get its mark, because no other service would take them. It must
// also serve while a new rule for its packets can't be set, because no other service takes them until then.
func (m *Marks) Holds(key lvs.Key) bool {
	if m.isChanging() {
		return true
	}
	if key.Protocol == lvs.Mark {
		return slices.ContainsFunc(m.byMark[key.Mark],
			func(r lvs.MarkRule) bool { return r.Dest.Addr().Is6() == key.IPv6 })
	}
	return m.Fails && slices.ContainsFunc(m.Want, func(r lvs.MarkRule) bool {
		return !m.isSet(r) && r.Catches(key.Addr, key.Protocol.String())
	})
}

// Serve reports whether packets to an announced address get the mark of a section with these rules, and whether that is
// known. While the rules change, an existing rule for the address counts if it has the section's mark. If the address
// is on a device, a rule whose packets the section is about to take counts too, see succeed.
func (m *Marks) Serve(rules []lvs.MarkRule, a *Address) (is, known bool) {
	switch {
	case m.Has(rules):
		return true, true
	case !m.Looked:
		return false, false
	}
	return m.isChanging() && slices.ContainsFunc(m.set, func(r lvs.MarkRule) bool {
		return r.Dest.Contains(a.Want.Addr) && (r.Mark == rules[0].Mark || a.At != "" && m.succeed(rules, r))
	}), true
}

// succeed reports whether a section with these rules is about to take the packets of a rule that is being removed.
// Until then the service of the old mark takes them, see Holds.
func (m *Marks) succeed(rules []lvs.MarkRule, old lvs.MarkRule) bool {
	stays := slices.ContainsFunc(m.Want, func(w lvs.MarkRule) bool { return w.Mark == old.Mark })
	return !stays && slices.ContainsFunc(rules, func(r lvs.MarkRule) bool { return r.Packets.Equal(old.Packets) })
}

func sameRules(a, b []lvs.MarkRule) bool { return slices.EqualFunc(a, b, lvs.MarkRule.Equal) }
