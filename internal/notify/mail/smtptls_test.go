package mail

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"net"
	"net/http/httptest"
	"strings"
	"testing"

	"ldirectord/internal/testkit"
)

// tlsServer answers one session of SMTP, and returns what it read, with "TLS" where that began.
func tlsServer(t *testing.T, secure *tls.Config) (address string, read func() string) {
	l := testkit.Must(net.Listen("tcp4", "127.0.0.1:0"))(t)
	t.Cleanup(func() { l.Close() })
	seen := make(chan string, 1)
	go func() {
		var lines []string
		defer func() { seen <- strings.Join(lines, ", ") }()
		c, err := l.Accept()
		if err != nil {
			return
		}
		defer func() { c.Close() }()
		in, offers := bufio.NewReader(c), "250-x\r\n250-STARTTLS\r\n250 AUTH PLAIN\r\n"
		if secure == nil {
			offers = "250-x\r\n250 AUTH PLAIN\r\n"
		}
		fmt.Fprint(c, "220 x\r\n")
		for {
			line, err := in.ReadString('\n')
			if err != nil {
				return
			}
			word, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
			lines = append(lines, word)
			switch word {
			case "EHLO":
				fmt.Fprint(c, offers)
			case "STARTTLS":
				fmt.Fprint(c, "220 go on\r\n")
				t := tls.Server(c, secure)
				if t.Handshake() != nil {
					return
				}
				lines = append(lines, "TLS")
				c, in = t, bufio.NewReader(t)
			case "AUTH":
				login, _ := base64.StdEncoding.DecodeString(strings.TrimPrefix(rest, "PLAIN "))
				lines = append(lines, fmt.Sprintf("%q", login))
				fmt.Fprint(c, "235 ok\r\n")
			case "DATA":
				fmt.Fprint(c, "354 go on\r\n")
				for line != ".\r\n" && err == nil {
					line, err = in.ReadString('\n')
				}
				fmt.Fprint(c, "250 taken\r\n")
			case "QUIT":
				return
			default:
				fmt.Fprint(c, "250 ok\r\n")
			}
		}
	}()
	return l.Addr().String(), func() string { l.Close(); return <-seen }
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
		var secure *tls.Config
		if row.offers {
			secure = &tls.Config{Certificates: known.TLS.Certificates}
		}
		address, read := tlsServer(t, secure)
		l := testLetter("a@example.net")
		l.via, l.tls, l.user = address, row.mode, row.user
		l.password = func() (string, error) { return "pass word", nil }
		if l.roots = x509.NewCertPool(); row.trusted {
			l.roots = roots
		}
		var d net.Dialer
		again, err := sendSMTP(t.Context(), d.DialContext, l)
		if got := read(); got != row.want || (err != nil) != (row.err != "") || err != nil &&
			!strings.Contains(err.Error(), row.err) {
			t.Errorf("%s, %q, offered %t, trusted %t: %s, %v; want %s, %s", row.mode, row.user, row.offers,
				row.trusted, got, err, row.want, row.err)
		}
		if row.err != "" && len(again) != 1 {
			t.Errorf("%s, %q: it is not tried again", row.mode, row.user)
		}
	}
}
