package director

import (
	"context"
	"fmt"
	"slices"
	"time"

	"ldirectord/judge"
	"ldirectord/lvs"
	"ldirectord/notify"
)

// The time limit of one order is marksTimeout and ruleTimeout for each rule: ldirectord runs a program for every rule.
const (
	marksTimeout = 15 * time.Second
	ruleTimeout  = 20 * time.Millisecond
)

// Marks sets the rules that give packets their firewall marks.
type Marks interface {
	// Sync sets exactly these rules. It returns a line for each damaged rule that it restored.
	Sync(ctx context.Context, want []lvs.MarkRule) ([]string, error)
}

// marker keeps the mark rules in a goroutine of its own, because it runs programs.
type marker struct {
	aside[[]lvs.MarkRule, marked]
	*services
	marks Marks // nil: there are no rules to keep
	rules judge.Marks
}

// marked is the result of an order.
type marked struct {
	rules []lvs.MarkRule
	fixed []string
	err   error
}

func newMarker(all *services, marks Marks) *marker {
	m := &marker{services: all, marks: marks}
	m.aside = newAside(m.set)
	return m
}

func (m *marker) set(ctx context.Context, rules []lvs.MarkRule) marked {
	ctx, cancel := context.WithTimeout(ctx, marksTimeout+time.Duration(len(rules))*ruleTimeout)
	defer cancel()
	fixed, err := m.marks.Sync(ctx, rules)
	return marked{rules, fixed, err}
}

// now is what is known of the rules.
func (m *marker) now() *judge.Marks {
	m.rules.Kept, m.rules.Want, m.rules.Busy, m.rules.Fails = m.marks != nil, m.want, !m.idle(), m.trouble != ""
	return &m.rules
}

// order has the rules of all served virtual services checked and set, now or when the marker is free. Virtual services
// that left the file are included.
func (m *marker) order() {
	m.want, m.due = rulesOf(slices.Concat(m.purges, m.ours)), false
	m.due = m.now().NeedsOrder()
}

// recheck has the rules checked again.
func (m *marker) recheck() { m.due = m.due || m.now().NeedsLook() }

// took receives the result of an order.
func (m *marker) took(r marked) {
	m.busy = false
	for _, what := range r.fixed {
		m.tell.line(notify.ChangedByHand, "Restored mark rules: "+what)
	}
	m.tell.trouble(&m.trouble, r.err, notify.TableError, "Mark rules can't be set", notify.TableRecovered,
		"Mark rules can be set again")
	if r.err == nil && m.rules.Took(r.rules) {
		m.tell.line(notify.MarkRules, fmt.Sprintf("Set mark rules: %d", len(r.rules)))
	}
}

func rulesOf(virtuals []*virtual) (rules []lvs.MarkRule) {
	for _, v := range virtuals {
		rules = append(rules, v.Marks...)
	}
	return rules
}
