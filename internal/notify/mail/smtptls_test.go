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

	"ldirectord/internal/testkit"
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
	for _, row := range testkit.Table(t, "../../../testdata/mail/tls.txt", 5) {
		mode, user, want := row[0], row[1], row[3]
		synctest.Test(t, func(t *testing.T) {
			server := &smtpScript{reply: map[string]string{atEHLO: "250-x\r\n250 AUTH PLAIN"}}
			if strings.Contains(row[2], "offers") {
				server.secure = &tls.Config{Certificates: known.TLS.Certificates}
				server.reply[atEHLO] = "250-x\r\n250-STARTTLS\r\n250 AUTH PLAIN"
			}
			l := testLetter("a@example.net")
			l.smtp, l.tls, l.user, l.password = "127.0.0.1", mode, user, password("pass word")
			if l.roots = x509.NewCertPool(); strings.Contains(row[2], "trusted") {
				l.roots = roots
			}
			again, err := sendSMTP(t.Context(), server.dial, l)
			synctest.Wait()
			testkit.Equal(t, server.words(), want, row)
			testkit.OKOr(t, err, row[4], row)
			if row[4] != "" && len(again) != 1 {
				t.Errorf("%q: it is not tried again", row)
			}
		})
	}
}
