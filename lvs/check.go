package lvs

import (
	"fmt"
	"strings"
)

// HTTPStatuses are statuses of HTTP and ranges of them, as the configuration has them but without blanks: 200,300-399.
// All have three digits.
type HTTPStatuses string

// Has reports whether a status is among them.
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
	Send    bool   // else expect
	Text    string // the bytes to send, or a Perl regular expression to expect, which the check judges
	Written string // Text as in the configuration
}

// Account is how a check logs in. "" is none.
type Account struct {
	Login, Passwd string
	Database      string
	Secret        string // that the client of a RADIUS server shares with it
}

// HTTP has the settings of a check by http or https.
type HTTP struct {
	HTTPMethod           string       // GET or HEAD
	FollowRedirect       string       // extension: yes, server or no
	HTTPStatus           HTTPStatuses // extension: accepted statuses; "": 2xx
	HTTPUser, HTTPPasswd string       // extension: basic authentication; the user has no colon
}

// TLS has the settings of a check over TLS, all extensions.
type TLS struct {
	TLSVerify     bool   // the certificate must be good for the name or address of the server
	TLSCA         string // file of the authorities to trust; "" for the system's
	TLSCert       string // file of a client certificate; set together with TLSKey
	TLSKey        string // file of its key
	TLSExpiryWarn int    // how many days before it expires a certificate causes a warning; 0: none
}
