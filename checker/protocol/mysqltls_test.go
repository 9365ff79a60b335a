package protocol

import (
	"crypto/tls"
	"io"
	"net"
	"strings"
	"testing"

	"ldirectord/internal/testkit"
)

// myOffersTLS is myHandshake with the capability of TLS.
var myOffersTLS = strings.Replace(myHandshake, "\x00\x08\xa2", "\x00\x08\xaa", 1)

// myUntilTLS is a server that starts TLS, reads the log-in, and then calls a function of the test. Its next packet has
// the number 3.
func myUntilTLS(t *testing.T, then func(*testServer, net.Conn)) func(*testServer, net.Conn) {
	secure := serverTLS(t)
	return func(s *testServer, c net.Conn) {
		io.WriteString(c, myPackets(0, myOffersTLS))
		request := myHear(c)
		c = tls.Server(c, secure)
		login := myHear(c)
		if len(request) == 32 && request[1]&mysqlTLS > 0 && strings.HasPrefix(login, request) {
			then(s, c)
		}
	}
}

func TestMySQLOverTLS(t *testing.T) {
	row := myPackets(1, myFound...)
	onlySoon := func(s *Spec) { onlyTLS(s); soon(s) }
	verified := func(s *Spec) { onlyTLS(s); s.TLSVerify = true }
	letIn := func(s *testServer, c net.Conn) {
		io.WriteString(c, myPackets(3, myOK))
		myHear(c)
		io.WriteString(c, row)
		myHear(c)
	}
	checkScenes(t, goodMySQL, []scene{
		{"good", myUntilTLS(t, letIn), onlyTLS, "up: SELECT returned a row"},
		{"not trusted", myUntilTLS(t, letIn), verified,
			"down: certificate refused: certificate signed by unknown authority"},
		{"not required", heedless(myPackets(0, myOffersTLS) + myPackets(2, myOK) + row), nil,
			"up: SELECT returned a row"},
		{"not offered", heedless(myPackets(0, myHandshake) + myPackets(2, myOK) + row), onlyTLS,
			"down: the server does not offer TLS"},
		{"not offered by a server before 4.1",
			heedless(myPackets(0, "\x0a4.0\x00\x01\x00\x00\x00abcdefgh\x00\x2c\x00")), onlyTLS,
			"down: login: MySQL server does not support required protocol 41+"},
		{"offered and refused", heedless(myPackets(0, myOffersTLS) + myPackets(2, myDenied)), onlyTLS,
			`down: STARTTLS: the server sent more in the clear: "(\x00\x00\x02\xff\x15\x04#28000Access ` +
				`denied\x1b for user 'check'"`},
		{"silent in the handshake",
			func(s *testServer, c net.Conn) { io.WriteString(c, myPackets(0, myOffersTLS)); silence(s, c) },
			onlySoon, "down: timeout in TLS handshake"},
		{"silent after the log-in was sent", myUntilTLS(t, silence), onlySoon, "down: login: timeout"},
		{"wrong log-in", myUntilTLS(t, heedless(myPackets(3, myDenied))), onlyTLS,
			`down: login rejected: Access denied\x1b for user 'check' (1045)`},
		{"OK cut short", myUntilTLS(t, heedless(myPackets(3, "\x00\x00\x00\x02"))), onlyTLS,
			`down: login: this is not MySQL: got "\x04\x00\x00\x02\x00"`},
		{"numbers out of order", myUntilTLS(t, heedless(myPackets(2, myOK))), onlyTLS,
			"down: login: commands out of sync. You can't run this command now"},
		{"huge packet", myUntilTLS(t, heedless("\xff\xff\xff\x03\x00")), onlyTLS,
			"down: login: the answer is too long"},
	})
}

// Over TLS the password goes as the server wants it, without its key.
func TestMySQLTellsThePasswordOverTLS(t *testing.T) {
	testkit.Leaks(t)
	server := serve(t, myUntilTLS(t, func(s *testServer, c net.Conn) {
		io.WriteString(c, myPackets(3, "\xfecaching_sha2_password\x00"+mySeed+"\x00"))
		myHear(c)
		io.WriteString(c, myPackets(5, "\x01\x04"))
		s.keep(myHear(c))
		io.WriteString(c, myPackets(7, myOK))
		myHear(c)
		io.WriteString(c, myPackets(1, myFound...))
		myHear(c)
	}))
	s := goodMySQL
	s.Target, s.UseTLS, s.NoClearText, s.TLSExpiryWarn = server.addr, true, true, 2
	r := checked(t, s)
	if got := server.asked(); !r.OK || !strings.HasPrefix(r.Warning, "certificate of localhost expires on ") ||
		len(got) != 1 || got[0] != "secret\x00" {
		t.Errorf("%+v; the server has %q", r, got)
	}
}
