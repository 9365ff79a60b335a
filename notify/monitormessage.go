package notify

import (
	"regexp"
	"strings"
)

// InMaintenance is the message for a server that maintenancedir takes down.
const InMaintenance = "Server in maintenance"

// MonitorID is a check as a monitorfile names it. A part that the configuration does not have is "".
type MonitorID struct {
	Check       string // checktype; negotiate and combined with :service, external and external-perl with :checkcommand
	Protocol    string // tcp, udp, fwm
	Server      string // address of the real server, IPv6 in brackets
	Port        string // of the real server, "0" without one
	VirtualHost string
	CheckPort   string
	Weight      string
	Forward     string // gate, masq, ipip
	Request     string // with its leading slash
	Receive     string
}

// String is the id with a blank for each run of colons, and without backslashes. Colons in request and
// receive stand alone, as the reference has them.
func (m MonitorID) String() string {
	quote := strings.NewReplacer(`\`, "", ":", `\:`)
	id := strings.Join([]string{
		m.Check, m.Protocol, m.Server, m.Port, m.VirtualHost, m.CheckPort, m.Weight, m.Forward,
		quote.Replace(m.Request), quote.Replace(m.Receive),
	}, ":")
	return strings.ReplaceAll(colons.ReplaceAllString(id, " "), `\`, "")
}

var colons = regexp.MustCompile(`:+`)

// MonitorMessage is what a monitorfile says about a result, "" for nothing. Kind is what was asked: the
// service of a negotiate or combined check, else the check type, ping for connect with udp. Detail and
// said are those of the checker's result. The reference leaves some results out; then there is no line.
func MonitorMessage(kind string, up bool, detail string, said string) (message string, line bool) {
	switch kind {
	case "on", "off", "external-perl":
		return "", false
	case "ping":
		return "", up
	case "http", "https", "http_proxy":
		return httpMessage(up, detail, said), true
	case "dns":
		return dnsMessage(up, detail), true
	case "ldap", "ldaps":
		return ldapMessage(up, detail), true
	}
	return "", true
}

// httpMessage is the status line, or with a good status the wrong content. Without an answer it is a 500
// of the client's own, as in the reference, though in other words.
func httpMessage(up bool, detail, said string) string {
	switch {
	case up && strings.IndexAny(detail, "123456789") != 0: // a connect between two full checks
		return ""
	case up:
		return detail
	case said == "":
		return "500 " + detail
	}
	return said
}

func dnsMessage(up bool, detail string) string {
	switch {
	case up:
		return "Success"
	case strings.Contains(detail, " does not match "), strings.HasPrefix(detail, "receive is empty"):
		return "Response mismatch"
	}
	return "Connection timed out" // what the reference says of every other failure
}

func ldapMessage(up bool, detail string) string {
	switch {
	case up:
		return "Success"
	case strings.HasPrefix(detail, "connect"), strings.Contains(detail, "TLS handshake"):
		return "Connection failed"
	case strings.HasPrefix(detail, "login"):
		return "Bind failed"
	case strings.Contains(detail, " does not match "):
		return "Response mismatch"
	}
	return "No answer received"
}
