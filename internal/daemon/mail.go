package daemon

import (
	"ldirectord/internal/notify/mail"
	"ldirectord/internal/plan"
	"ldirectord/internal/printable"
)

// mailRules returns the mail settings of each virtual service, from the configuration.
func mailRules(p *plan.Plan) map[string]mail.Rule {
	rules := map[string]mail.Rule{}
	for _, s := range p.Services {
		v := s.Config
		if v.Mail.To == "" {
			continue
		}
		rule := mail.Rule{
			To: v.Mail.To, From: p.Config.Global.EmailAlertFrom, SMTP: v.Mail.SMTP,
			Freq: v.Mail.Freq.Duration(), Statuses: v.Mail.Status,
			ServiceName: v.ServiceName, Comment: v.Comment,
		}
		for _, m := range s.Reals() {
			rule.Reals = append(rule.Reals, m.Dest.Addr.String())
		}
		if v.Mail.Detail {
			rule.Why = "ldirectord " + printable.ShellWord(p.Config.Name) + " why"
		}
		rules[v.ID] = rule
	}
	return rules
}
