package parser

import (
	"regexp"
	"slices"
	"strings"
)

// hidden stands in the place of a secret.
const hidden = "…"

// login is who asks, within a URL.
var login = regexp.MustCompile(`://[^/?#\s]*@`)

// WithoutSecrets is a copy of the configuration to be shown: the written values of the directives that are secret
// are hidden, and the log-ins of URLs.
func (c *Config) WithoutSecrets() *Config {
	shown := *c
	shown.Virtuals = slices.Clone(c.Virtuals)
	for i := range shown.Virtuals {
		shown.Virtuals[i].hideSecrets()
	}
	return &shown
}

func (v *Virtual) hideSecrets() {
	for name, value := range map[string]*string{
		"login": &v.Login, "passwd": &v.Passwd, "secret": &v.Secret, "httpuser": &v.HTTPUser, "httppasswd": &v.HTTPPasswd,
	} {
		if v.has(name) && *value != "" {
			*value = hidden
		}
	}
	v.HTTPHeaders = slices.Clone(v.HTTPHeaders)
	for i, header := range v.HTTPHeaders {
		name, _, _ := strings.Cut(header, ":")
		v.HTTPHeaders[i] = name + ": " + hidden
	}
	v.Request = withoutLogin(v.Request)
	v.Reals = slices.Clone(v.Reals)
	for i := range v.Reals {
		r := &v.Reals[i]
		r.Request, r.URL = withoutLogin(r.Request), withoutLogin(r.URL)
	}
}

func withoutLogin(url string) string { return login.ReplaceAllLiteralString(url, "://"+hidden+"@") }
