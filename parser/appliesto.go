package parser

import (
	"slices"
	"strings"

	"ldirectord/lvs"
)

// appliesTo is in which checks a directive has an effect; elsewhere the parser warns. nil: all checks.
type appliesTo struct {
	counts func(*Virtual) bool
	where  string
}

// applying has the words of rows that limit a directive to some checks.
var applying = map[string]*appliesTo{
	"for-compares":  forServices(lvs.ServicesThat(lvs.Compares)...),
	"for-dns":       forServices("dns"),
	"for-http":      forServices("http", "https", "http_proxy"),
	"for-passwords": forServices(lvs.ServicesThat(lvs.ClearText)...),
	"for-simpletcp": forServices("simpletcp"),
	"for-starttls":  forServices(lvs.ServicesThat(lvs.StartsTLS)...),
	"for-tls": {
		counts: (*Virtual).OverTLS,
		where: enumerate(lvs.ServicesThat(lvs.OverTLS)) + ", and with starttls=yes for " +
			enumerate(lvs.ServicesThat(lvs.StartsTLS)),
	},
}

// OverTLS reports whether the service uses TLS.
func (v *Virtual) OverTLS() bool {
	s := lvs.ServiceOf(v.Service)
	return s.Is(lvs.OverTLS) || v.StartTLS && s.Is(lvs.StartsTLS)
}

// Services describes the services for which a directive counts; "" for all.
func (d *Directive) Services() string {
	if d.appliesTo == nil {
		return ""
	}
	return d.appliesTo.where
}

func forServices(names ...string) *appliesTo {
	return &appliesTo{
		counts: func(v *Virtual) bool { return slices.Contains(names, v.Service) },
		where:  enumerate(names),
	}
}

// enumerate formats a list for a sentence: "a, b and c".
func enumerate(list []string) string {
	last := len(list) - 1
	if last == 0 {
		return list[0]
	}
	return strings.Join(list[:last], ", ") + " and " + list[last]
}

// unused warns of directives that no check of the section uses. A check that is switched off causes no warning, because
// it may be switched on again.
func (a adviser) unused() {
	for name := range a.v.At {
		d := byName[name]
		if d.appliesTo == nil || a.v.CheckType == On || a.v.CheckType == Off {
			continue
		}
		checks := a.v.Checks()
		if slices.Contains([]string{"receive", "send", "expect"}, d.Name) {
			checks = checks[:1]
		}
		var spoken []string
		counts := false
		for _, check := range checks {
			if check.Negotiates() {
				spoken = append(spoken, check.Service)
				counts = counts || d.appliesTo.counts(check)
			}
		}
		switch {
		case len(spoken) == 0 && !d.Extension:
		case len(spoken) == 0:
			a.warn(d.Name, noEffect, "%s applies only to negotiate checks; this one is checktype=%s",
				d.Name, a.v.CheckType)
		case !counts:
			a.warn(d.Name, noEffect, "%s applies only to %s; this service is %s", d.Name, d.appliesTo.where,
				enumerate(spoken))
		case d.Name == "tlsca" && !a.v.TLSVerify:
			a.warn(d.Name, noEffect, "tlsca has an effect only with tlsverify=yes")
		}
	}
}
