package parser

import (
	"slices"
	"strings"

	"ldirectord/checker/settings"
)

// OverTLS reports whether the check uses TLS. A check of http_proxy uses TLS if its request is an https URL.
func (v *Virtual) OverTLS() bool {
	s := settings.ServiceOf(v.Service)
	secure := v.Service == "http_proxy" && strings.HasPrefix(v.Request, "/https://")
	return s.Is(settings.OverTLS) || v.StartTLS && s.Takes("starttls") || v.UseTLS && s.Takes("tls") || secure
}

func (d *Directive) usedBy() string {
	if !d.is("for-tls") {
		return servicesThatTake(d.Name)
	}
	names := settings.ServicesThat(func(s settings.Service) bool {
		return s.Is(settings.OverTLS) || s.Takes(d.Name)
	})
	return Enumerate(names) + ", with tls=yes for " + servicesThatTake("tls") +
		", and with starttls=yes for " + servicesThatTake("starttls")
}

func servicesThatTake(directive string) string {
	return Enumerate(settings.ServicesThat(func(s settings.Service) bool { return s.Takes(directive) }))
}

// isUsedBy reports whether a check that negotiates uses the directive.
func (d *Directive) isUsedBy(check *Virtual) bool {
	return settings.ServiceOf(check.Service).Takes(d.Name) || d.is("for-tls") && check.OverTLS()
}

// Enumerate formats a list for a sentence, such as "a, b and c". For an empty list it returns "".
func Enumerate(list []string) string {
	last := len(list) - 1
	if last < 1 {
		return strings.Join(list, "")
	}
	return strings.Join(list[:last], ", ") + " and " + list[last]
}

// unused warns of directives that no check of the section uses. It does not warn if checktype is on or off, because
// checktype may be changed back later. It also does not warn if the service was refused, because another service was
// meant.
func (a adviser) unused() {
	refused := a.has("service") && a.s.v.Service == ""
	if a.checksNothing() || refused {
		return
	}
	var written []string // the directives that only some services use
	for name, at := range a.At {
		if byName[name].Services != "" && a.At[name+"file"] != at { // see oneSecret
			written = append(written, name)
		}
	}
	slices.Sort(written)
	for _, name := range written {
		a.unusedDirective(byName[name])
	}
}

func (a adviser) unusedDirective(d *Directive) {
	checks := a.Checks()
	if slices.Contains([]string{"request", "receive", "send", "expect"}, d.Name) {
		checks = checks[:1]
	}
	var spoken []string
	for _, check := range checks {
		switch {
		case !check.Negotiates():
		case !d.isUsedBy(check):
			spoken = append(spoken, check.Service)
		case d.Name == "tlsca" && !a.TLSVerify:
			a.remark(d.Name, noEffect, "tlsca has an effect only with tlsverify=yes")
			return
		default:
			return
		}
	}
	if len(spoken) == 0 {
		a.remark(d.Name, noEffect, "%s applies only to negotiate checks; this one is checktype=%s", d.Name,
			a.CheckType)
		return
	}
	other := ""
	if instead := map[string]string{"login": "httpuser", "passwd": "httppasswd"}[d.Name]; instead != "" &&
		byName[instead].isUsedBy(checks[0]) {
		other = "; for HTTP authentication, use " + instead
	}
	a.remark(d.Name, noEffect, "%s applies only to %s; this service is %s%s", d.Name, d.Services,
		Enumerate(spoken), other)
}
