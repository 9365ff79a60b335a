package parser

import (
	"regexp"
	"strings"
)

// hidden is shown instead of a secret.
const hidden = "…"

// login is the user and password within a URL.
var login = regexp.MustCompile(`://[^/?#\s]*@`)

// WithoutSecrets is the configuration to be shown: in its JSON the written values of secret directives are hidden,
// and the log-ins of URLs.
func (c *Config) WithoutSecrets() *Config {
	shown := *c
	shown.hidesSecrets = true
	return &shown
}

// withoutSecret is a value of a secret directive with what may be shown of it.
func withoutSecret(value any) any {
	headers, ok := value.([]string)
	if !ok {
		return hidden
	}
	shown := make([]string, len(headers))
	for i, header := range headers {
		name, _, _ := strings.Cut(header, ":")
		shown[i] = name + ": " + hidden
	}
	return shown
}

func withoutLogin(url string) string { return login.ReplaceAllLiteralString(url, "://"+hidden+"@") }
