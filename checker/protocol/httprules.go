package protocol

import (
	"encoding/base64"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"ldirectord/checker"
)

// firstWords returns the beginning of a server's answer, for Result.Body.
func firstWords[T string | []byte](words T) string {
	return string(words[:min(len(words), checker.MaxBody)])
}

// fieldsFor returns the additional header fields of a request. A log-in in the URL is used only if there is no other
// log-in for the server; one for the proxy does not matter.
func (c *httpCheck) fieldsFor(u *url.URL, home bool) (fields []string) {
	if home {
		fields = append(fields, c.fields...)
	}
	if c.login != "" && (home && !c.proxy || c.byProxy(u)) {
		fields = append(fields, c.login)
	}
	if u.User != nil && !hasField(fields, "Authorization") {
		password, _ := u.User.Password()
		fields = append(fields, basicField(u.User.Username(), password))
	}
	return fields
}

// basicField returns the header field for a log-in with the Basic scheme (RFC 7617, 2).
func basicField(user, password string) string {
	return "Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password))
}

// requestBytes returns the bytes of a request. Only a POST has a body.
func requestBytes(method, target, host string, fields []string, body string) []byte {
	b := fmt.Appendf(nil, "%s %s HTTP/1.1\r\nHost: %s\r\n", method, target, host)
	if !hasField(fields, "User-Agent") {
		b = append(b, "User-Agent: ldirectord\r\n"...)
	}
	if !hasField(fields, "Connection") { // the parser allows only Upgrade
		b = append(b, "Connection: close\r\n"...)
	}
	if method == "POST" {
		b = fmt.Appendf(b, "Content-Length: %d\r\n", len(body))
	}
	for _, field := range fields {
		b = fmt.Appendf(b, "%s\r\n", field)
	}
	return append(append(b, "\r\n"...), body...)
}

func hasField(fields []string, name string) bool {
	return slices.ContainsFunc(fields, func(field string) bool {
		has, _, _ := strings.Cut(field, ":")
		return strings.EqualFold(has, name)
	})
}

// good reports whether a status is accepted. Without a list of statuses, 2xx is accepted, as in the Perl ldirectord.
func (c *httpRules) good(status int) bool {
	return c.HTTPStatus == "" && status/100 == 2 || c.HTTPStatus.Has(status)
}
