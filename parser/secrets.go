package parser

import (
	"regexp"
	"strings"
)

// hidden is shown instead of a secret.
const hidden = "…"

// login matches the user and password within a URL.
var login = regexp.MustCompile(`://[^/?#\s]*@`)

// WithoutSecrets returns the configuration for output. Its JSON hides the written values of secret directives, and
// log-ins in URLs.
func (c *Config) WithoutSecrets() *Config {
	shown := *c
	shown.hidesSecrets = true
	return &shown
}

// withoutSecret returns the public part of a secret directive's value.
func withoutSecret(value any) any {
	headers, ok := value.([]string)
	if !ok {
		return hidden
	}
	return each(headers, func(header string) string {
		name, _, _ := strings.Cut(header, ":")
		return name + ": " + hidden
	})
}
