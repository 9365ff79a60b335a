package plan

import (
	"slices"

	"ldirectord/internal/lvs"
	"ldirectord/parser"
)

// Rules returns the mark rules of the plan.
func (p *Plan) Rules() (rules []lvs.MarkRule) {
	for _, s := range p.Services {
		rules = append(rules, s.Section.Marks...)
	}
	return rules
}

// Catches reports whether a mark rule of a section gives its mark to packets of another virtual service.
func Catches(cfg *parser.Virtual, other lvs.Key) bool {
	return slices.ContainsFunc(cfg.Marking, func(m parser.Marking) bool {
		return other.Addr.IsValid() && m.Catches(other.Addr, other.Protocol.String())
	})
}
