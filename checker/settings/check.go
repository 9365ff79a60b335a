// Package settings contains settings of checks that come from the configuration: log-ins, dialogues, HTTP, TLS, and how
// packets leave this machine. It also lists, for each service, the directives that its check uses. It does not decide
// which values are allowed: package parser does.
package settings

import (
	"fmt"
	"net/netip"
	"strings"
)

// HTTPStatuses is a list of HTTP statuses and ranges of statuses, as in the configuration but without blanks, such as
// 200,300-399. Each status has three digits.
type HTTPStatuses string

// Has reports whether a status is in the list.
func (list HTTPStatuses) Has(status int) bool {
	if list == "" {
		return false
	}
	text := fmt.Sprintf("%03d", status)
	for item := range strings.SplitSeq(string(list), ",") {
		first, last, isRange := strings.Cut(item, "-")
		if text == first || isRange && first < text && text <= last {
			return true
		}
	}
	return false
}

// Step is one line of a dialogue: what to send, or what to expect.
type Step struct {
	Send    bool   // false: to expect
	Text    string // the bytes to send, or the Perl regular expression to expect, which protocol.New validates
	Written string // Text as in the configuration
}

// Account holds the data with which a check logs in, and the pattern for what a database then returns. An empty string
// means that the value is not set.
type Account struct {
	Login    string `cf:"login,secret,shown-empty"`
	Passwd   string `cf:"passwd,secret,shown-empty"`
	Database string `cf:"database,shown-empty"`
	// a Perl regular expression that the first value of the first row must match; "": any row passes
	SQLReceive string `cf:"sqlreceive,extension"`
	// the secret that a RADIUS server shares with its client
	Secret string `cf:"secret,secret,shown-empty"`
}

// Origin holds the properties that are set on the sockets of a check before they send their first packet. The zero
// Origin leaves everything to the kernel.
type Origin struct {
	CheckSource netip.Addr `cf:"checksource,extension,check"` // source address; invalid: the route's
	CheckDevice string     `cf:"checkdevice,extension,check"` // device to send from; "": the route's
	CheckMark   uint32     `cf:"checkmark,extension,check"`   // firewall mark, for routing rules; 0: none
}

// IsUsual reports whether the Origin leaves everything to the kernel.
func (o Origin) IsUsual() bool { return o == Origin{} }

// Path describes how the packets of a check leave this machine.
type Path struct {
	Origin
	OnLink bool // the server must be reached without a router
}

// HTTP holds the settings of a check over HTTP.
type HTTP struct {
	HTTPMethod     string       `cf:"httpmethod=GET"`               // GET, HEAD or POST
	FollowRedirect string       `cf:"followredirect=yes,extension"` // yes, server or no
	HTTPStatus     HTTPStatuses `cf:"httpstatus,extension"`         // accepted statuses; "": 2xx
	HTTPBody       string       `cf:"httpbody,extension"`           // of a POST
	// "Name: PATTERN": the pattern, a Perl regular expression, must match the field's value; "": any header will do
	ReceiveHeader string `cf:"receiveheader,extension"`
	// for basic authentication; the user name contains no colon
	HTTPUser   string `cf:"httpuser,extension,secret"`
	HTTPPasswd string `cf:"httppasswd,extension,secret"`
}

// TLS holds the settings of a check over TLS. All of them are extensions.
type TLS struct {
	// the certificate must be valid for the name or address of the server
	TLSVerify bool `cf:"tlsverify=no,extension,for-tls"`
	// the file of trusted authorities; "": those of the system
	TLSCA string `cf:"tlsca,extension,for-tls"`
	// the file of a client certificate, set together with TLSKey
	TLSCert string `cf:"tlscert,extension,for-tls"`
	TLSKey  string `cf:"tlskey,extension,for-tls"` // the file of its key
	// a warning is given this many days before a certificate expires; 0: never
	TLSExpiryWarn int `cf:"tlsexpirywarn=14,extension,for-tls"`
}
