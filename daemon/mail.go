package daemon

import (
	"ldirectord/director"
	"ldirectord/lvs"
	"ldirectord/notify/mail"
	"ldirectord/parser"
	"ldirectord/printable"
)

// mailRules are who gets mail about each virtual service, as the configuration has it.
func mailRules(plan *director.Plan) map[string]mail.Rule {
	rules := map[string]mail.Rule{}
	for _, s := range plan.Services("") {
		v := s.Config
		if v.Mail.To == "" {
			continue
		}
		rule := mail.Rule{
			To: v.Mail.To, From: plan.Config.Global.EmailAlertFrom, SMTP: v.Mail.SMTP,
			Freq:        v.Mail.Freq.Duration(),
			ServiceName: v.ServiceName, Comment: v.Comment,
		}
		for _, m := range s.Members {
			if !m.Fallback {
				rule.Reals = append(rule.Reals, m.Dest.Addr.String())
			}
		}
		if v.Mail.Detail {
			rule.Why = "ldirectord " + printable.ShellWord(plan.Config.Name) + " why"
		}
		for bit, status := range map[parser.MailStatus]lvs.Status{
			parser.MailStarting: lvs.StatusStarting, parser.MailRunning: lvs.StatusRunning,
			parser.MailStopping: lvs.StatusStopping, parser.MailReloading: lvs.StatusReloading,
		} {
			if v.Mail.Status&bit != 0 {
				rule.Statuses = append(rule.Statuses, status)
			}
		}
		rules[v.ID] = rule
	}
	return rules
}
