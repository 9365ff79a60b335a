package parser

import (
	"cmp"
	"regexp"
	"strings"

	"ldirectord/checker/settings"
)

// This file reads the extensions for http checks.

// httpStatus matches an HTTP status code (RFC 9110, section 15).
var httpStatus = regexp.MustCompile(`^[1-5][0-9]{2}$`)

// overlap reports whether other contains a status that means that the server is up.
func overlap(up, other settings.HTTPStatuses) bool {
	for status := 100; status < 600 && other != ""; status++ {
		if other.Has(status) && cmp.Or(up, "200-299").Has(status) {
			return true
		}
	}
	return false
}

func readStatuses(v *value) settings.HTTPStatuses {
	return settings.HTTPStatuses(strings.Join(readList(v, unquote(v.text), v.readStatusRange), ","))
}

// readStatusRange reads a status or a range of statuses.
func (v *value) readStatusRange(item, _ string) string {
	first, last, isRange := strings.Cut(item, "-")
	if !isRange {
		last = first
	}
	first, last = trimRight(first), trim(last)
	switch {
	case !httpStatus.MatchString(first) || !httpStatus.MatchString(last):
		v.wrong("%q is not a status; it must be a list of statuses from 100 to 599 and ranges of them, "+
			"such as 200,204,300-399", item)
	case first > last:
		v.wrong("the range %q is empty; it must be %s-%s", item, last, first)
	case first < last:
		first += "-" + last
	}
	return first
}

// readHTTPHeader reads a header field (RFC 9110, section 5), and stores it with one blank after the colon. The value
// may be secret, so no message shows it.
func readHTTPHeader(v *value) {
	name, content, found := strings.Cut(v.withoutQuotes(), ":")
	hint := ownHeaders[strings.ToLower(name)]
	if strings.EqualFold(name, "connection") && strings.EqualFold(trim(content), "upgrade") {
		hint = ""
	}
	switch virtual := &v.section.v; {
	case !found || !all(name, isTokenByte):
		v.wrong("that is not a header; it must be Name: value, with a name of letters, digits and -")
	case strings.ContainsFunc(content, isControl):
		v.wrong("the header's value has a control character in it")
	case hint != "":
		v.wrong("%s can't be given as a header: %s", name, hint)
	default:
		virtual.HTTPHeaders = append(virtual.HTTPHeaders, name+": "+trim(content))
	}
}

// readReceiveHeader reads the name of a header field, and the pattern for its value.
func readReceiveHeader(v *value) string {
	text := quoted(v)
	name, pattern, found := strings.Cut(text, ":")
	if v.problem == nil && (!found || !all(name, isTokenByte) || trim(pattern) == "") {
		v.wrong("%q is not a header and a pattern; it must be Name: PATTERN, such as "+
			"\"Content-Type: ^text/html\"", text)
	}
	return name + ": " + trim(pattern)
}

// ownHeaders maps headers that a file can't give, because the check itself writes them, to hints. The names are in
// lower case.
var ownHeaders = map[string]string{
	"host":              "use virtualhost",
	"content-length":    "the check sets it to the length of httpbody",
	"transfer-encoding": "the check sends httpbody with a Content-Length",
	"connection": "each check uses its own connection and closes it; the only value allowed is Upgrade, which " +
		"httpstatus = 101 needs",
}

// isTokenByte reports whether a byte is a tchar of RFC 9110, section 5.6.2.
func isTokenByte(c byte) bool {
	return isWordByte(c) || strings.IndexByte("!#$%&'*+-.^`|~", c) >= 0
}

// isControl reports whether a character is a control character (CTL in RFC 5234), which header fields and log-ins must
// not contain.
func isControl(r rune) bool { return r < ' ' || r == 0x7f }

func readHTTPUser(v *value) string {
	user := readLogin(v)
	if strings.Contains(user, ":") {
		v.wrong("the user name of basic authentication must not contain a colon")
	}
	return user
}

// readLogin reads the user or the password of a log-in (RFC 7617, section 2).
func readLogin(v *value) string {
	text := quoted(v)
	if strings.ContainsFunc(text, isControl) {
		v.wrong("the value has a control character in it")
	}
	return text
}
