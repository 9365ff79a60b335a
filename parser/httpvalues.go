package parser

import (
	"strconv"
	"strings"

	"ldirectord/lvs"
)

// This file reads the extensions for http checks.

// The statuses that HTTP has (RFC 9110, section 15).
const (
	minStatus = 100
	maxStatus = 599
)

// Statuses are ranges of statuses of HTTP, in the order written.
type Statuses []lvs.StatusRange

// String is the list as the file has it, without blanks: 200,300-399.
func (list Statuses) String() string { return lvs.List(list) }

// overlaps reports whether a status that means up is in another list too.
func (list Statuses) overlaps(other Statuses) bool {
	if list == nil {
		list = Statuses{{First: 200, Last: 299}}
	}
	for _, a := range list {
		for _, b := range other {
			if a.First <= b.Last && b.First <= a.Last {
				return true
			}
		}
	}
	return false
}

func readStatuses(v *value) (Statuses, *problem) { return readList(unquote(v.text), readStatusRange) }

// readStatusRange reads one status or a range of them.
func readStatusRange(item, _ string) (r lvs.StatusRange, p *problem) {
	first, last, isRange := strings.Cut(item, "-")
	if !isRange {
		last = first
	}
	r.First, r.Last = statusNumber(trimRight(first)), statusNumber(trim(last))
	switch {
	case r.First == 0 || r.Last == 0:
		p = bad(
			"%s is not a status; it must be a list of statuses from %d to %d and ranges of them, such as "+
				"200,204,300-399",
			quote(item), minStatus, maxStatus)
	case r.First > r.Last:
		p = bad("the range %s is empty; it must be %d-%d", quote(item), r.Last, r.First)
	}
	return r, p
}

// statusNumber is the number of a status; 0 if the text is no status.
func statusNumber(s string) int {
	n, err := strconv.Atoi(s)
	if err != nil || len(s) != 3 || n < minStatus || n > maxStatus {
		return 0
	}
	return n
}

// readHTTPHeader reads a field as in RFC 9110, section 5, and writes one blank after its colon. Its value may be
// secret, so no message shows it.
func readHTTPHeader(v *value) *problem {
	name, content, found := strings.Cut(v.withoutQuotes(), ":")
	switch {
	case !found || !all(name, isTokenByte):
		return bad("that is not a header; it must be Name: value, with a name of letters, digits and -")
	case strings.ContainsFunc(content, isControl):
		return bad("the header's value has a control character in it")
	}
	if hint := ownHeaders[strings.ToLower(name)]; hint != "" {
		return bad("%s can't be given as a header: %s", name, hint)
	}
	virtual := &v.section.v
	virtual.HTTPHeaders = append(virtual.HTTPHeaders, name+": "+trim(content))
	return nil
}

// ownHeaders are the headers that the check writes itself, in lower case, and what to use instead.
var ownHeaders = map[string]string{
	"host":              "it is the virtualhost",
	"content-length":    "the request has no body",
	"transfer-encoding": "the request has no body",
	"connection":        "each check has a connection of its own, and ends it",
}

// isTokenByte reports whether a byte is a tchar of RFC 9110, section 5.6.2.
func isTokenByte(c byte) bool {
	return isWordByte(c) || strings.IndexByte("!#$%&'*+-.^`|~", c) >= 0
}

// isControl reports whether a character may not be in a field or in a log-in: CTL of RFC 5234.
func isControl(r rune) bool { return r < ' ' || r == 0x7f }

func readHTTPUser(v *value) (string, *problem) {
	user, p := readLogin(v)
	if p == nil && strings.Contains(user, ":") {
		p = bad("a user of basic authentication has no colon")
	}
	return user, p
}

// readLogin reads one half of a log-in (RFC 7617, section 2).
func readLogin(v *value) (string, *problem) {
	text, p := quoted(v)
	if p == nil && strings.ContainsFunc(text, isControl) {
		p = bad("the value has a control character in it")
	}
	return text, p
}
