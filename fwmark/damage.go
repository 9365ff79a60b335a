package fwmark

import (
	"fmt"
	"slices"
)

// damage describes changes by other programs or by hand, or by an interrupted run. With known, set has the rules of the
// last Sync; without it, only states that no Sync leaves are reported.
func damage(now state, known bool, set []string) []string {
	var lines []string
	report := func(format string, args ...any) { lines = append(lines, fmt.Sprintf(format, args...)) }

	used := now.used()
	for _, rule := range now.before {
		report("the rule %q was before the jump to our chain", rule)
	}
	for _, g := range now.generations {
		switch {
		case len(g.jumps) == 0 && (!known || g.chain != used.chain):
			report("chain %s was left over, without a jump", g.chain)
		case g.chain != used.chain:
			report("chain %s was left over", g.chain)
		}
		for i, jump := range g.jumps {
			switch {
			case jump != jumpTo(g.chain):
				report("the jump to chain %s had become %q", g.chain, jump)
			case slices.Contains(g.jumps[:i], jump):
				report("the jump to chain %s was there twice", g.chain)
			}
		}
	}
	if !known || len(set) == 0 {
		return lines
	}
	if used.chain == "" {
		report("our chain was gone")
		return lines
	}
	if len(used.jumps) == 0 {
		report("the jump to chain %s was gone", used.chain)
	}
	return append(lines, rulesDamage(used, set)...)
}

// used is the first generation with a jump, otherwise the first.
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

func rulesDamage(g generation, set []string) []string {
	var lines []string
	if len(g.rules) == 0 {
		return []string{fmt.Sprintf("chain %s was empty", g.chain)}
	}
	for _, rule := range set {
		if !slices.Contains(g.rules, rule) {
			lines = append(lines, fmt.Sprintf("the rule %q was missing in chain %s", rule, g.chain))
		}
	}
	for i, rule := range g.rules {
		switch {
		case !slices.Contains(set, rule):
			lines = append(lines,
				fmt.Sprintf("the rule %q was in chain %s, and is not our rule", rule, g.chain))
		case slices.Contains(g.rules[:i], rule):
			lines = append(lines, fmt.Sprintf("the rule %q was twice in chain %s", rule, g.chain))
		}
	}
	if len(lines) == 0 && !slices.Equal(g.rules, set) {
		lines = append(lines, fmt.Sprintf("the rules of chain %s were in another order", g.chain))
	}
	return lines
}
