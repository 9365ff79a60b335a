package plan

import (
	"slices"

	"ldirectord/fwmark"
	"ldirectord/lvs"
	"ldirectord/parser"
)

// Rules are the mark rules of the plan.
func (p *Plan) Rules() (rules []fwmark.Rule) {
	for _, s := range p.Services {
		rules = append(rules, RulesOf(s.Config)...)
	}
	return rules
}

// RulesOf are the mark rules of a section.
func RulesOf(cfg *parser.Virtual) (rules []fwmark.Rule) {
	for _, m := range cfg.Marking {
		rules = append(rules, RuleOf(cfg, m))
	}
	return rules
}

// RuleOf is the rule of a line of a section.
func RuleOf(cfg *parser.Virtual, m parser.Marking) fwmark.Rule {
	return fwmark.Rule{Mark: cfg.Mark, Packets: m.Packets}
}

// Catches reports whether a mark rule of a section gives its mark to packets of another virtual service.
func Catches(cfg *parser.Virtual, other lvs.Key) bool {
	return slices.ContainsFunc(cfg.Marking, func(m parser.Marking) bool {
		return other.Addr.IsValid() && m.Catches(other.Addr, other.Protocol.String())
	})
}
