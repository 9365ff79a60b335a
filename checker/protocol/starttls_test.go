package protocol

import (
	"bufio"
	"crypto/tls"
	"net"
	"strings"
	"testing"
	"time"

	ber "github.com/go-asn1-ber/asn1-ber"
	"github.com/go-ldap/ldap/v3"

	"ldirectord/checker/settings"
)

// turn makes the server's TLS handshake.
func turn(secure *tls.Config) step {
	return func(c *client) bool {
		secured := tls.Server(c.Conn, secure)
		if err := secured.Handshake(); err != nil {
			c.t.Errorf("the server's TLS handshake: %v", err)
			return false
		}
		c.Conn, c.read = secured, bufio.NewReader(secured)
		return true
	}
}

// turnFor is turn with a client that must want this server name.
func turnFor(name string) step {
	return func(c *client) bool { return turn(expectName(c.t, name))(c) }
}

// ended waits until the client closes or resets the connection.
func ended(c *client) bool {
	c.read.Peek(1)
	return false
}

// hangOn waits for the client's hello, and does not answer it.
func hangOn(c *client) bool {
	c.read.Peek(1)
	return true
}

// refusedTurn is a server whose certificate the client refuses.
func refusedTurn(secure *tls.Config) step {
	return func(c *client) bool {
		if err := tls.Server(c.Conn, secure).Handshake(); err == nil {
			c.Read(make([]byte, 1)) // with TLS 1.3 the client refuses it after the handshake
		}
		return false
	}
}

// resumed sends a file over a TLS session that is the one of the conversation.
func resumed(secure *tls.Config) step {
	return func(c *client) bool {
		secured := tls.Server(c.Conn, secure)
		if err := secured.Handshake(); err != nil || !secured.ConnectionState().DidResume {
			c.t.Errorf("the session of the conversation is not resumed: %v", err)
		}
		secured.Write([]byte("all well\n"))
		secured.Close()
		return false
	}
}

// unended sends a file over TLS, without the word that ends it.
func unended(secure *tls.Config) step {
	return func(c *client) bool {
		secured := tls.Server(c.Conn, secure)
		secured.Handshake()
		secured.Write([]byte("all well\n"))
		return false
	}
}

// turnLDAP answers a request for TLS, and continues over TLS.
func turnLDAP(says ldapSays, secure *tls.Config, d directory) func(*testServer, net.Conn) {
	return func(s *testServer, c net.Conn) {
		p, err := ber.ReadPacket(c)
		if err != nil || p.Children[1].Tag != ldap.ApplicationExtendedRequest ||
			p.Children[1].Children[0].Data.String() != "1.3.6.1.4.1.1466.20037" {
			s.keep("no request for TLS")
			return
		}
		c.Write(ldapResult(p.Children[0].Value.(int64), ldap.ApplicationExtendedResponse, says))
		if secure == nil {
			silence(s, c)
		} else {
			d.treat(s, tls.Server(c, secure))
		}
	}
}

func TestLDAPWithSTARTTLS(t *testing.T) {
	secure := serverTLS(t)
	one := directory{user: "cn=admin", passwd: "secret", entries: []string{"dc=example,dc=test"}}
	s := goodLDAP
	s.StartTLS, s.Login, s.Passwd = true, "cn=admin", "secret"
	a := newAuthority(t)
	plain := func(more string) func(*testServer, net.Conn) {
		return func(_ *testServer, c net.Conn) {
			ber.ReadPacket(c)
			c.Write(append(ldapResult(1, ldap.ApplicationExtendedResponse, ldapSays{}), more...))
			c.Read(make([]byte, 1))
		}
	}
	checkScenes(t, s, []scene{
		{"good", turnLDAP(ldapSays{}, secure, one), nil, `up: entry "dc=example,dc=test"`},
		{"old TLS", turnLDAP(ldapSays{}, oldTLS(t), one), nil, `up: entry "dc=example,dc=test"`},
		{"wrong login", turnLDAP(ldapSays{}, secure, directory{}), nil,
			"down: login rejected: invalid credentials"},
		{"rejected", turnLDAP(ldapSays{2, "unsupported\x1b"}, nil, one), nil,
			`down: STARTTLS not offered: protocol error: unsupported\x1b`},
		{"not the certificate wanted", turnLDAP(ldapSays{}, secure, one),
			func(s *Spec) { s.TLSVerify, s.TLSCA, s.Host = true, a.file, "ldap.example.org" },
			"down: certificate refused: certificate is valid for localhost, not ldap.example.org"},
		{"closed", closing, nil, "down: STARTTLS: closed by the server"},
		{"another protocol", heedless("SSH-2.0-OpenSSH_9.2\r\n"), nil,
			`down: STARTTLS: this is not LDAP: got "SSH-2."`},
		{"huge answer", heedless("0\x84\x7f\xff\xff\xff"), nil, "down: STARTTLS: the answer is too long"},
		{"another answer", heedless(string(ldapResult(1, ldap.ApplicationBindResponse, ldapSays{}))), nil,

			`down: STARTTLS: this is not LDAP: got "0\f\x02\x01\x01a\a\n\x01\x00\x04\x00\x04\x00"`},
		{"nonsense", heedless("0\x0dabcdefghijklm"), nil,
			`down: STARTTLS: this is not LDAP: got "0\rabcdefghijklm"`},
		{"silent in the handshake", turnLDAP(ldapSays{}, nil, one), soon, "down: timeout in TLS handshake"},
		{"word put in before TLS", plain(string(ldapResult(2, ldap.ApplicationBindResponse, ldapSays{}))), nil,
			`down: STARTTLS: the server sent more in the clear: ` +
				`"0\f\x02\x01\x02a\a\n\x01\x00\x04\x00\x04\x00"`},
	})
}

func TestLDAPSendsNoPasswordInTheClear(t *testing.T) {
	received := make(chan string, 1)
	s := goodLDAP
	s.StartTLS, s.Login, s.Passwd = true, "cn=admin", "hunter2"
	s.Target = serve(t, func(_ *testServer, c net.Conn) {
		ber.ReadPacket(c)
		c.Write(ldapResult(1, ldap.ApplicationExtendedResponse, ldapSays{2, "no"}))
		c.SetReadDeadline(time.Now().Add(tooLate))
		rest := make([]byte, 1024)
		n, _ := c.Read(rest)
		received <- string(rest[:n])
	}).addr
	checked(t, s)
	if rest := <-received; strings.Contains(rest, "hunter2") || rest != "" {
		t.Errorf("after the refusal it said %q", rest)
	}
}

// For services without STARTTLS the directive has no effect. The parser warns of it.
func TestSTARTTLSHasNoEffectOnOtherServices(t *testing.T) {
	for _, service := range []string{"mysql", "nntp", "redis", "sip"} {
		s := Spec{Type: "negotiate", Service: service, Protocol: "tcp", Account: settings.Account{Login: "u"},
			Request: "/x", StartTLS: true, TLS: settings.TLS{TLSCert: "/missing"}}
		if _, err := New(s, nil); err != nil {
			t.Errorf("%s: %v", service, err)
		}
	}
}
