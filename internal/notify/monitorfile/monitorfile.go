// Package monitorfile turns the results of checks into lines of monitorfiles, with the wording of the Perl ldirectord.
package monitorfile

import (
	"cmp"
	"regexp"
	"strconv"
	"strings"

	"ldirectord/checker"
	"ldirectord/checker/wire"
	"ldirectord/internal/lvs"
	"ldirectord/parser"
)

// inMaintenance is the text for a server in maintenance, whether a file, an order or its own report put it there.
const inMaintenance = "Server in maintenance"

// Line returns what the monitorfile of a check says about a result: whether the server is up, and a text. The third
// value is false if the result gets no line, for example because it is inconclusive. A suspended server is reported as
// being in maintenance.
func Line(check *parser.Virtual, r *checker.Result, suspended bool) (up bool, text string, is bool) {
	if check.MonitorFile == "" || r.Cause == checker.Shortage || r.Cause == checker.Unjudged {
		return false, "", false
	}
	if suspended {
		return false, inMaintenance, true
	}
	kind := check.CheckType
	switch {
	case check.Negotiates():
		kind = check.Service
	case check.Pings():
		kind = "ping"
	}
	text, is = message(kind, *r)
	return r.OK, text, is
}

// message returns the text about a result for a monitorfile, or "" if there is none. For a negotiate or combined check,
// kind is the service. For a check that pings, it is "ping". Otherwise it is the check type. line is false for results
// that get no line, as in the Perl ldirectord.
func message(kind string, r checker.Result) (text string, line bool) {
	switch kind {
	case "on", "off", "external-perl", checker.Agent:
		return "", false
	case "ping":
		return "", r.OK
	case "http", "https", "http_proxy":
		return httpMessage(r), true
	case "dns":
		// what the Perl ldirectord writes for every other failure
		return messageOf(r, dnsFailures, "Connection timed out"), true
	case "ldap", "ldaps":
		return messageOf(r, ldapFailures, "No answer received"), true
	}
	return "", true
}

// httpMessage returns the status line or, if the status is good but the content does not match, the beginning of the
// content. For any other failure, such as no answer, it returns status 500 like the Perl ldirectord, but with another
// text.
func httpMessage(r checker.Result) string {
	switch {
	case r.OK && r.Stage == wire.AtConnect: // a connect between two full checks
		return ""
	case r.OK:
		return r.Detail
	case r.Body == "":
		return "500 " + r.Detail
	}
	return r.Body
}

// messageOf returns the message for a success or for the stage at which the check failed. If failures does not contain
// the stage, the message is other.
func messageOf(r checker.Result, failures map[wire.Stage]string, other string) string {
	if r.OK {
		return "Success"
	}
	return cmp.Or(failures[r.Stage], other)
}

var (
	// urlPassword matches the log-in of a URL, from the // to the @ (RFC 3986, 3.2.1). Its group ends before the
	// password.
	urlPassword = regexp.MustCompile(`(//[^/?#:@\s]*:)[^/?#@\s]*@`)
	colons      = regexp.MustCompile(`:+`)

	dnsFailures  = map[wire.Stage]string{wire.AtMatch: "Response mismatch"}
	ldapFailures = map[wire.Stage]string{
		wire.AtConnect: "Connection failed",
		wire.AtTLS:     "Connection failed",
		wire.AtLogin:   "Bind failed",
		wire.AtMatch:   "Response mismatch",
	}
)

// ID names a check in a monitorfile as the Perl ldirectord does, but without passwords. The name consists of the
// settings, without backslashes and with a blank in place of each run of colons. In request and receive, each colon
// becomes a separate blank.
func ID(cfg *parser.Virtual, r *parser.Real) string {
	check, checkPort := cfg.CheckType, ""
	switch cfg.CheckType {
	case parser.Negotiate, parser.Combined:
		check += ":" + cfg.Service
	case parser.External, parser.ExternalPerl:
		check += ":" + cfg.CheckCommand
	}
	if cfg.CheckPort > 0 {
		checkPort = strconv.Itoa(cfg.CheckPort)
	}
	request, receive := cfg.Asks(r)
	escaped := strings.NewReplacer(`\`, "", ":", `\:`)
	id := strings.Join([]string{
		check, cfg.Protocol.String(), lvs.FormatAddr(r.Addr.Addr()), strconv.Itoa(int(r.Addr.Port())),
		cfg.VirtualHost, checkPort, strconv.Itoa(r.Weight), r.Forward.String(),
		escaped.Replace(urlPassword.ReplaceAllString(request, "$1…@")), escaped.Replace(receive),
	}, ":")
	return strings.ReplaceAll(colons.ReplaceAllString(id, " "), `\`, "")
}
