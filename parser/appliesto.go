package parser

import (
	"slices"
	"strings"
)

// appliesTo says in which checks a directive counts; in others it gets a warning. A nil one is for all checks.
type appliesTo struct {
	counts func(*Virtual) bool
	where  string
}

var (
	tlsServices      = []string{"https", "imaps", "ldaps", "pops", "tls"}
	startTLSServices = []string{"ftp", "imap", "ldap", "pop", "smtp", "submission"}
	// receiveServices are those that compare an answer with receive.
	receiveServices = []string{"dns", "ftp", "http", "http_proxy", "https", "ldap", "ldaps", "redis", "simpletcp"}
	// clearTextServices are those whose server chooses how a password is sent.
	clearTextServices = []string{"mysql", "pgsql"}
)

var (
	overHTTP = forServices("http", "https", "http_proxy")
	overTLS  = &appliesTo{
		counts: func(v *Virtual) bool {
			return slices.Contains(tlsServices, v.Service) || v.StartTLS && slices.Contains(startTLSServices, v.Service)
		},
		where: enumerate(tlsServices) + ", and with starttls=yes for " + enumerate(startTLSServices),
	}
)

func forServices(names ...string) *appliesTo {
	return &appliesTo{
		counts: func(v *Virtual) bool { return slices.Contains(names, v.Service) },
		where:  enumerate(names),
	}
}

// enumerate is a list in a sentence: "a, b and c".
func enumerate(list []string) string {
	last := len(list) - 1
	if last == 0 {
		return list[0]
	}
	return strings.Join(list[:last], ", ") + " and " + list[last]
}

// unused warns of directives that the section's check does not use. A check that is switched off is no reason to
// warn: it may be switched on again.
func (a adviser) unused() {
	v, negotiates := a.v, a.v.negotiates()
	for name := range v.At {
		switch d := byName[name]; {
		case d.appliesTo == nil || v.CheckType == On || v.CheckType == Off:
		case !negotiates && !d.Extension:
		case !negotiates:
			a.warn(d.Name, noEffect, "%s counts only in negotiate checks; this one is checktype=%s", d.Name, v.CheckType)
		case !d.appliesTo.counts(v):
			a.warn(d.Name, noEffect, "%s counts only for %s; this service is %s", d.Name, d.appliesTo.where, v.Service)
		case d.Name == "tlsca" && !v.TLSVerify:
			a.warn(d.Name, noEffect, "tlsca counts only with tlsverify=yes")
		}
	}
}
