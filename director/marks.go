package director

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"ldirectord/fwmark"
	"ldirectord/lvs"
	"ldirectord/notify"
)

// The time limit of one order is marksTimeout and ruleTimeout for each rule: a program is run for every rule.
const (
	marksTimeout = 15 * time.Second
	ruleTimeout  = 20 * time.Millisecond
)

// Marks sets the rules that give packets their firewall marks.
type Marks interface {
	// Sync makes these our only rules. It returns what it found damaged and restored, a line each.
	Sync(ctx context.Context, want []fwmark.Rule) ([]string, error)
}

// marker keeps the mark rules beside the director, because programs are run for them.
type marker struct {
	aside[[]fwmark.Rule, marked]
	marks Marks // nil: there are none to keep

	current []fwmark.Rule            // as of the last report without an error …
	byMark  map[uint32][]fwmark.Rule // … by their marks
	looked  bool                     // an order was carried out, so nothing of a daemon before is left
}

// marked is how an order ended.
type marked struct {
	rules []fwmark.Rule
	fixed []string
	err   error
}

func (d *Director) setMarks(ctx context.Context, rules []fwmark.Rule) marked {
	ctx, cancel := context.WithTimeout(ctx, marksTimeout+time.Duration(len(rules))*ruleTimeout)
	defer cancel()
	fixed, err := d.deps.Marks.Sync(ctx, rules)
	return marked{rules, fixed, err}
}

// order has the rules checked and set, now or when the marker is free. Where there are none it is left to recheck: a
// start does not wait for programs that it does not need.
func (m *marker) order(want []fwmark.Rule) {
	m.want = want
	m.due = m.marks != nil && (len(want) > 0 || len(m.current) > 0 || m.busy || m.trouble != "")
}

// recheck has the rules checked again, if there are any, or may be some of a daemon before.
func (m *marker) recheck() {
	m.due = m.due || m.marks != nil && (len(m.want) > 0 || m.trouble != "" || !m.looked)
}

// changing reports whether rules are about to come or go. The virtual services that they replace must stay until then.
func (m *marker) changing() bool {
	return !m.idle() && m.trouble == "" && !sameRules(m.want, m.current)
}

// has reports whether the rules of a virtual service are set, or nobody sets any.
func (m *marker) has(v *virtual) bool {
	if m.marks == nil {
		return true
	}
	for _, r := range rulesOf([]*virtual{v}) {
		if !m.isSet(r) {
			return false
		}
	}
	return true
}

// isSet reports whether a rule is set.
func (m *marker) isSet(r fwmark.Rule) bool {
	return slices.ContainsFunc(m.byMark[r.Mark], func(s fwmark.Rule) bool { return sameRule(r, s) })
}

// sets reports whether packets still get the mark of a virtual service. It stays until then: who removed it would leave
// them to nobody.
func (m *marker) sets(v *virtual) bool {
	return v.key.Protocol == lvs.Mark && slices.ContainsFunc(m.byMark[v.key.Mark],
		func(r fwmark.Rule) bool { return r.Dest.Addr().Is6() == v.key.IPv6 })
}

// awaits reports whether packets of a virtual service are to get a mark for which the rule can't be set. Until it is
// they have that service alone.
func (m *marker) awaits(v *virtual) bool {
	port, protocol := v.key.Addr.Port(), fwmark.Protocol(v.key.Protocol.String())
	return m.trouble != "" && v.key.Addr.IsValid() && slices.ContainsFunc(m.want, func(r fwmark.Rule) bool {
		return !m.isSet(r) && r.Dest.Contains(v.key.Addr.Addr()) &&
			(r.Protocol == fwmark.All || r.Protocol == protocol) &&
			(r.Ports == nil || slices.ContainsFunc(r.Ports,
				func(p lvs.Ports) bool { return p.First <= port && port <= p.Last }))
	})
}

// serves reports whether packets to an address get the mark of a virtual service, and whether that is known. While the
// rules change, those for the address count that are there; of an address that is announced also those of a mark that
// goes.
func (m *marker) serves(v *virtual, one *announcement) (is, known bool) {
	switch {
	case m.has(v):
		return true, true
	case !m.looked && m.trouble == "":
		return false, false
	}
	return m.changing() && slices.ContainsFunc(m.current, func(r fwmark.Rule) bool {
		return r.Dest.Contains(one.addr) && (r.Mark == v.cfg.Mark || one.at != "" && m.succeeds(v, r))
	}), true
}

// succeeds reports whether a virtual service is about to have the packets of a rule whose mark goes. Until then the
// service of that mark has them, see mayNotGo.
func (m *marker) succeeds(v *virtual, r fwmark.Rule) bool {
	goes := !slices.ContainsFunc(m.want, func(w fwmark.Rule) bool { return w.Mark == r.Mark })
	return goes && slices.ContainsFunc(rulesOf([]*virtual{v}), func(w fwmark.Rule) bool {
		w.Mark = r.Mark
		return sameRule(w, r)
	})
}

// mark orders the rules of the virtual services that are served, also of those that left the file.
func (d *Director) mark() {
	d.marker.order(rulesOf(slices.Concat(d.purges, d.ours)))
}

// marked reports how an order ended.
func (d *Director) marked(r marked) {
	m := &d.marker
	m.busy = false
	m.looked = m.looked || r.err == nil
	for _, what := range r.fixed {
		d.teller.emit(notify.Event{Kind: notify.ChangedByHand, Text: "Restored mark rules: " + what})
		for _, v := range d.ours {
			if len(v.cfg.Marking) > 0 && v.key.IPv6 == strings.HasPrefix(what, "IPv6") {
				v.noteChange(d.teller.now(), "mark rules: "+what+"; restored")
			}
		}
	}
	d.teller.trouble(&m.trouble, r.err, notify.TableError, "Mark rules can't be set", notify.TableRecovered,
		"Mark rules can be set again")
	if r.err != nil || sameRules(r.rules, m.current) {
		return
	}
	m.current, m.byMark = r.rules, map[uint32][]fwmark.Rule{}
	for _, rule := range r.rules {
		m.byMark[rule.Mark] = append(m.byMark[rule.Mark], rule)
	}
	d.teller.emit(notify.Event{Kind: notify.MarkRules, Text: fmt.Sprintf("Set mark rules: %d", len(r.rules))})
}

// unmark removes, at the end, the rules of the virtual services that go.
func (d *Director) unmark(ctx context.Context) {
	if m := &d.marker; m.marks == nil || m.looked && len(m.want) == 0 && len(m.current) == 0 {
		return
	}
	staying := slices.DeleteFunc(slices.Clone(d.ours), func(v *virtual) bool { return v.cfg.CleanStop })
	d.marked(d.setMarks(ctx, rulesOf(staying)))
}

func sameRules(a, b []fwmark.Rule) bool {
	return slices.EqualFunc(a, b, sameRule)
}

func sameRule(x, y fwmark.Rule) bool {
	return x.Mark == y.Mark && x.Dest == y.Dest && x.Protocol == y.Protocol && slices.Equal(x.Ports, y.Ports)
}

// Rules are the mark rules of the plan.
func (p *Plan) Rules() []fwmark.Rule { return rulesOf(p.virtuals) }

func rulesOf(virtuals []*virtual) (rules []fwmark.Rule) {
	for _, v := range virtuals {
		if v.key.Protocol != lvs.Mark {
			continue
		}
		for _, m := range v.cfg.Marking {
			r := fwmark.Rule{Mark: v.cfg.Mark, Dest: m.Dest, Protocol: fwmark.Protocol(m.Protocol),
				Ports: m.Ports}
			rules = append(rules, r)
		}
	}
	return rules
}
