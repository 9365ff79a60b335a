package daemon

import (
	"net"
	"strconv"

	"ldirectord/internal/notify/mail"
	"ldirectord/internal/plan"
)

// mailPort is the default port of a mail server.
const mailPort = 25

// mailRules returns the mail settings of each virtual service, from the configuration. The argument again is the
// beginning of each command in a mail.
func mailRules(p *plan.Plan, again string) map[string]mail.Rule {
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
		if rule.SMTP != "" {
			rule.TLS, rule.User = v.Mail.TLS.String(), v.Mail.User
			if v.Mail.Port != mailPort {
				rule.SMTP = net.JoinHostPort(rule.SMTP, strconv.Itoa(int(v.Mail.Port)))
			}
			rule.Password = func() (string, error) {
				secret, _, err := Source{Runs: true}.readSecret(v.Mail.PasswdFile)
				return secret, err
			}
		}
		if v.Mail.Detail {
			rule.Why = again + " why"
		}
		rules[v.ID] = rule
	}
	return rules
}
