package parser

import (
	"strconv"
	"strings"
)

// This file reads what http checks may send and accept beyond the reference's.

// The statuses that HTTP has (RFC 9110, section 15).
const (
	leastStatus    = 100
	greatestStatus = 599
)

// readHTTPStatus keeps the list without its blanks.
func readHTTPStatus(s *section, v *value) *problem {
	var list []string
	for rest, more := unquote(v.text), true; more; {
		from, item := rest[skipSpace(rest, 0):], ""
		item, rest, more = strings.Cut(from, ",")
		status, p := statuses(trimRight(item))
		if p != nil {
			return p.around(from)
		}
		list = append(list, status)
	}
	s.v.HTTPStatus = strings.Join(list, ",")
	return nil
}

// statuses reads one status or a range of them.
func statuses(item string) (string, *problem) {
	first, last, isRange := strings.Cut(item, "-")
	first, last = trimRight(first), trim(last)
	switch {
	case !isStatus(first) || isRange && !isStatus(last):
		return "", bad("%s is not a status; it is a list of statuses from %d to %d and ranges of them, such as 200,204,300-399",
			quote(item), leastStatus, greatestStatus)
	case !isRange:
		return first, nil
	case first > last:
		return "", bad("the range %s is empty; it is %s-%s", quote(item), last, first)
	default:
		return first + "-" + last, nil
	}
}

func isStatus(s string) bool {
	n, err := strconv.Atoi(s)
	return err == nil && len(s) == 3 && n >= leastStatus && n <= greatestStatus
}

// readHTTPHeader takes a field as RFC 9110, section 5, has it, with one blank behind its colon. As it
// may be a secret, no message repeats its value.
func readHTTPHeader(s *section, v *value) *problem {
	name, content, found := strings.Cut(v.withoutQuotes(), ":")
	switch {
	case !found || !all(name, isTokenByte):
		return bad("that is not a header; it is Name: value, with a name of letters, digits and -")
	case strings.IndexFunc(content, isControl) >= 0:
		return bad("the header's value has a control character in it")
	}
	if hint := ownHeaders[strings.ToLower(name)]; hint != "" {
		return bad("%s can't be given as a header: %s", name, hint)
	}
	s.v.HTTPHeaders = append(s.v.HTTPHeaders, name+": "+trim(content))
	return nil
}

// ownHeaders are those that the check writes itself, in lower case, and what to do instead.
var ownHeaders = map[string]string{
	"host":              "it is the virtualhost",
	"content-length":    "the request has no body",
	"transfer-encoding": "the request has no body",
	"connection":        "each check has a connection of its own, and ends it",
}

// isTokenByte is tchar of RFC 9110, section 5.6.2.
func isTokenByte(c byte) bool {
	return isWordByte(c) || strings.IndexByte("!#$%&'*+-.^`|~", c) >= 0
}

// isControl tells of what may not stand in a field or in a log-in: CTL of RFC 5234.
func isControl(r rune) bool { return r < ' ' || r == 0x7f }

func readHTTPUser(s *section, v *value) *problem {
	if p := readLogin(func(s *section) *string { return &s.v.HTTPUser })(s, v); p != nil {
		return p
	}
	if strings.Contains(s.v.HTTPUser, ":") {
		return bad("a user of basic authentication has no colon")
	}
	return nil
}

func readHTTPPasswd(s *section, v *value) *problem {
	return readLogin(func(s *section) *string { return &s.v.HTTPPasswd })(s, v)
}

// readLogin reads one half of a log-in (RFC 7617, section 2).
func readLogin(field func(*section) *string) setter[section] {
	return func(s *section, v *value) *problem {
		p := quoted(field)(s, v)
		if p == nil && strings.IndexFunc(*field(s), isControl) >= 0 {
			return bad("the value has a control character in it")
		}
		return p
	}
}

// oneLogin refuses two log-ins in one request.
func (r *reader) oneLogin(v *Virtual, s *section) {
	if !s.has("httpuser") {
		return
	}
	for _, header := range v.HTTPHeaders {
		if name, _, _ := strings.Cut(header, ":"); strings.EqualFold(name, "authorization") {
			r.error(s.place(wholeSection), conflict, s.at["httpuser"], "httpuser and an httpheader Authorization both log in; it is one of them")
			return
		}
	}
}
