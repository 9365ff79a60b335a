package core

import (
	"fmt"
	"slices"

	"ldirectord/internal/judge"
	"ldirectord/internal/lvs"
	"ldirectord/internal/notify"
)

// marker keeps the mark rules.
type marker struct {
	background[[]lvs.MarkRule]
	*services
	rules judge.Marks
}

// now returns what is known about the rules.
func (m *marker) now() *judge.Marks {
	m.rules.Want, m.rules.Busy, m.rules.Fails = m.want, !m.idle(), m.trouble != ""
	return &m.rules
}

// order has the rules of all virtual services in the table checked and set, at once or when the order in progress has
// ended. This includes virtual services that left the file, and those that stayed in the table after a demotion.
func (m *marker) order() {
	m.want, m.due = rulesOf(slices.Concat(m.purges, those(m.virtuals, (*virtual).MayBeIn))), false
	m.due = m.now().NeedsOrder()
}

// recheck has the rules checked again, unless an order is in progress. If an order takes longer than the time between
// two comparisons, the next order would otherwise always be due, and the marker would never be idle. A caller that
// waits for this would wait forever.
func (m *marker) recheck() { m.due = m.due || !m.busy && m.now().NeedsLook() }

// took handles the result of an order, which is the list of rules and a line for each damaged rule that was restored.
func (m *marker) took(rules []lvs.MarkRule, fixed []string, err error) {
	m.busy = false
	for _, what := range fixed {
		m.tell.line(notify.ChangedByHand, "Restored mark rules: "+what)
	}
	m.tell.trouble(&m.trouble, err, notify.TableError, "Mark rules can't be set", notify.TableRecovered,
		"Mark rules can be set again")
	if err == nil && m.rules.Took(rules) {
		m.tell.line(notify.MarkRules, fmt.Sprintf("Set mark rules: %d", len(rules)))
	}
}

func rulesOf(virtuals []*virtual) (rules []lvs.MarkRule) {
	for _, v := range virtuals {
		rules = append(rules, v.Marks...)
	}
	return rules
}
