package mail

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
)

// words are the commands that a server got, with "TLS" where that began, and what logged in.
func (s *smtpScript) words() string {
	var all []string
	for _, line := range s.commands {
		word, rest, _ := strings.Cut(line, " ")
		all = append(all, word)
		if login, logsIn := strings.CutPrefix(rest, "PLAIN "); logsIn {
			text, _ := base64.StdEncoding.DecodeString(login)
			all = append(all, fmt.Sprintf("%q", text))
		}
	}
	return strings.Join(all, ", ")
}

// Whether mail goes over TLS, is verified, and after a log-in. A password is never sent in clear text, nor to a server
// that is not the one that was named.
func TestSMTPOverTLS(t *testing.T) {
	known := httptest.NewTLSServer(nil)
	defer known.Close()
	roots := x509.NewCertPool()
	roots.AddCert(known.Certificate())
	const sent = "MAIL, RCPT, DATA, QUIT"
	for _, row := range []struct {
		mode, user      string
		offers, trusted bool
		want, err       string
	}{
		{"no", "", true, true, "EHLO, " + sent, ""},
		{"offered", "", true, false, "EHLO, STARTTLS, TLS, EHLO, " + sent, ""},
		{"offered", "", false, false, "EHLO, " + sent, ""},
		{"required", "", true, true, "EHLO, STARTTLS, TLS, EHLO, " + sent, ""},
		{"required", "", true, false, "EHLO, STARTTLS", "STARTTLS: tls: failed to verify certificate"},
		{"required", "", false, true, "EHLO", "STARTTLS: the server does not offer TLS"},
		{"required", "kim", true, true, `EHLO, STARTTLS, TLS, EHLO, AUTH, "\x00kim\x00pass word", ` + sent, ""},
		{"offered", "kim", true, true, `EHLO, STARTTLS, TLS, EHLO, AUTH, "\x00kim\x00pass word", ` + sent, ""},
		{"offered", "kim", true, false, "EHLO, STARTTLS", "STARTTLS: tls: failed to verify certificate"},
		{"offered", "kim", false, true, "EHLO", "STARTTLS: the server does not offer TLS"},
	} {
		synctest.Test(t, func(t *testing.T) {
			server := &smtpScript{reply: map[string]string{atEHLO: "250-x\r\n250 AUTH PLAIN"}}
			if row.offers {
				server.secure = &tls.Config{Certificates: known.TLS.Certificates}
				server.reply[atEHLO] = "250-x\r\n250-STARTTLS\r\n250 AUTH PLAIN"
			}
			l := testLetter("a@example.net")
			l.via, l.tls, l.user, l.password = "127.0.0.1", row.mode, row.user, password("pass word")
			if l.roots = x509.NewCertPool(); row.trusted {
				l.roots = roots
			}
			again, err := sendSMTP(t.Context(), server.dial, l)
			synctest.Wait()
			if got := server.words(); got != row.want || (err != nil) != (row.err != "") || err != nil &&
				!strings.Contains(err.Error(), row.err) {
				t.Errorf("%+v: %s, %v", row, got, err)
			}
			if row.err != "" && len(again) != 1 {
				t.Errorf("%+v: it is not tried again", row)
			}
		})
	}
}
