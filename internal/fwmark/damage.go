package fwmark

import (
	"fmt"
	"slices"
)

// report contains a line for each difference.
type report []string

func (r *report) add(format string, args ...any) { *r = append(*r, fmt.Sprintf(format, args...)) }

// damage describes changes by other programs, by hand, or by an interrupted run. If known is true, set contains the
// rules of the last Sync. Otherwise damage reports only what a successful Sync never leaves.
func damage(now state, known bool, set []string) []string {
	var lines report
	used := now.used()
	for _, rule := range now.before {
		lines.add("the rule %q was before the jump to our chain", rule)
	}
	for _, g := range now.generations {
		switch {
		case len(g.jumps) == 0 && (!known || g.chain != used.chain):
			lines.add("chain %s was left over, without a jump", g.chain)
		case g.chain != used.chain:
			lines.add("chain %s was left over", g.chain)
		}
		for i, jump := range g.jumps {
			switch {
			case jump != jumpTo(g.chain):
				lines.add("the jump to chain %s had become %q", g.chain, jump)
			case slices.Contains(g.jumps[:i], jump):
				lines.add("the jump to chain %s was there twice", g.chain)
			}
		}
	}
	if !known || len(set) == 0 {
		return lines
	}
	if used.chain == "" {
		lines.add("our chain was gone")
		return lines
	}
	if len(used.jumps) == 0 {
		lines.add("the jump to chain %s was gone", used.chain)
	}
	return append(lines, rulesDamage(used, set)...)
}

// used returns the first generation that has a jump. If none has a jump, it returns the first generation.
func (s *state) used() (first generation) {
	for i, g := range s.generations {
		if len(g.jumps) > 0 {
			return g
		}
		if i == 0 {
			first = g
		}
	}
	return first
}

func rulesDamage(g generation, set []string) (lines report) {
	if len(g.rules) == 0 {
		lines.add("chain %s was empty", g.chain)
		return lines
	}
	for _, rule := range set {
		if !slices.Contains(g.rules, rule) {
			lines.add("the rule %q was missing in chain %s", rule, g.chain)
		}
	}
	for i, rule := range g.rules {
		switch {
		case !slices.Contains(set, rule):
			lines.add("the rule %q was in chain %s, but is not ours", rule, g.chain)
		case slices.Contains(g.rules[:i], rule):
			lines.add("the rule %q was twice in chain %s", rule, g.chain)
		}
	}
	if len(lines) == 0 && !slices.Equal(g.rules, set) {
		lines.add("the rules of chain %s were in another order", g.chain)
	}
	return lines
}
