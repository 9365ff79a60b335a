package director

import (
	"context"
	"fmt"
	"slices"
	"time"

	"ldirectord/fwmark"
	"ldirectord/lvs"
	"ldirectord/notify"
	"ldirectord/parser"
	"ldirectord/plan"
)

// The time limit of one order is marksTimeout and ruleTimeout for each rule: ldirectord runs a program for every rule.
const (
	marksTimeout = 15 * time.Second
	ruleTimeout  = 20 * time.Millisecond
)

// Marks sets the rules that give packets their firewall marks.
type Marks interface {
	// Sync sets exactly these rules. It returns a line for each damaged rule that it restored.
	Sync(ctx context.Context, want []fwmark.Rule) ([]string, error)
}

// marker keeps the mark rules in a goroutine of its own, because it runs programs.
type marker struct {
	aside[[]fwmark.Rule, marked]
	*services
	marks Marks // nil: there are no rules to keep

	current []fwmark.Rule            // as of the last report without an error
	byMark  map[uint32][]fwmark.Rule // the current rules by their marks
	looked  bool                     // an order was carried out, so nothing of a previous daemon is left
}

// marked is the result of an order.
type marked struct {
	rules []fwmark.Rule
	fixed []string
	err   error
}

func newMarker(all *services, marks Marks) *marker {
	m := &marker{services: all, marks: marks}
	m.aside = newAside(m.set)
	return m
}

func (m *marker) set(ctx context.Context, rules []fwmark.Rule) marked {
	ctx, cancel := context.WithTimeout(ctx, marksTimeout+time.Duration(len(rules))*ruleTimeout)
	defer cancel()
	fixed, err := m.marks.Sync(ctx, rules)
	return marked{rules, fixed, err}
}

// order has the rules of all served virtual services checked and set, now or when the marker is free. Virtual services
// that left the file are included. Without rules it leaves the work to recheck, so that a start does not wait for
// programs that it does not need.
func (m *marker) order() {
	m.want = rulesOf(slices.Concat(m.purges, m.ours))
	m.due = m.marks != nil && (len(m.want) > 0 || len(m.current) > 0 || m.busy || m.trouble != "")
}

// recheck has the rules checked again, if there are any or the previous daemon may have left some.
func (m *marker) recheck() {
	m.due = m.due || m.marks != nil && (len(m.want) > 0 || m.trouble != "" || !m.looked)
}

// took receives the result of an order.
func (m *marker) took(r marked) {
	m.busy = false
	m.looked = m.looked || r.err == nil
	for _, what := range r.fixed {
		m.tell.line(notify.ChangedByHand, "Restored mark rules: "+what)
	}
	m.tell.trouble(&m.trouble, r.err, notify.TableError, "Mark rules can't be set", notify.TableRecovered,
		"Mark rules can be set again")
	if r.err != nil || sameRules(r.rules, m.current) {
		return
	}
	m.current, m.byMark = r.rules, map[uint32][]fwmark.Rule{}
	for _, rule := range r.rules {
		m.byMark[rule.Mark] = append(m.byMark[rule.Mark], rule)
	}
	m.tell.line(notify.MarkRules, fmt.Sprintf("Set mark rules: %d", len(r.rules)))
}

// isClear reports whether there are no rules to remove at a stop.
func (m *marker) isClear() bool {
	return m.marks == nil || m.looked && len(m.want) == 0 && len(m.current) == 0
}

// changing reports whether rules are about to change. The virtual services that they replace must stay until then.
func (m *marker) changing() bool {
	return !m.idle() && m.trouble == "" && !sameRules(m.want, m.current)
}

// has reports whether the rules of a section are set, or are not needed.
func (m *marker) has(cfg *parser.Virtual) bool {
	unset := func(line parser.Marking) bool { return !m.isSet(plan.RuleOf(cfg, line)) }
	return m.marks == nil || !slices.ContainsFunc(cfg.Marking, unset)
}

// isSet reports whether a rule is set.
func (m *marker) isSet(r fwmark.Rule) bool {
	return slices.ContainsFunc(m.byMark[r.Mark], func(s fwmark.Rule) bool { return sameRule(r, s) })
}

// holds reports whether a virtual service that left the file must still serve because of rules. Either packets still
// get its mark: without it no service would take them. Or the rule for their new mark can't be set: until then only the
// old service takes them.
func (m *marker) holds(key lvs.Key) bool {
	if m.changing() {
		return true
	}
	if key.Protocol == lvs.Mark {
		return slices.ContainsFunc(m.byMark[key.Mark],
			func(r fwmark.Rule) bool { return r.Dest.Addr().Is6() == key.IPv6 })
	}
	return m.trouble != "" && slices.ContainsFunc(m.want, func(r fwmark.Rule) bool {
		return !m.isSet(r) && r.Catches(key.Addr, key.Protocol.String())
	})
}

// serves reports whether packets to the address of an announcement get the mark of a section, and whether that is
// known. While the rules change, existing rules for the address count; for an announced address also rules of a mark
// that is about to be removed.
func (m *marker) serves(cfg *parser.Virtual, one *announcement) (is, known bool) {
	switch {
	case m.has(cfg):
		return true, true
	case !m.looked && m.trouble == "":
		return false, false
	}
	return m.changing() && slices.ContainsFunc(m.current, func(r fwmark.Rule) bool {
		return r.Dest.Contains(one.Want.Addr) && (r.Mark == cfg.Mark || one.At != "" && m.succeeds(cfg, r))
	}), true
}

// succeeds reports whether a section is about to take the packets of a rule that is being removed. Until then the
// service of the old mark takes them, see holds.
func (m *marker) succeeds(cfg *parser.Virtual, r fwmark.Rule) bool {
	goes := !slices.ContainsFunc(m.want, func(w fwmark.Rule) bool { return w.Mark == r.Mark })
	return goes && slices.ContainsFunc(cfg.Marking, func(line parser.Marking) bool {
		w := plan.RuleOf(cfg, line)
		w.Mark = r.Mark
		return sameRule(w, r)
	})
}

func sameRules(a, b []fwmark.Rule) bool {
	return slices.EqualFunc(a, b, sameRule)
}

func sameRule(x, y fwmark.Rule) bool {
	return x.Mark == y.Mark && x.Equal(y.Packets)
}

func rulesOf(virtuals []*virtual) (rules []fwmark.Rule) {
	for _, v := range virtuals {
		rules = append(rules, plan.RulesOf(v.Config)...)
	}
	return rules
}
