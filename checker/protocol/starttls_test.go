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

// ended waits until the client closes or resets the connection.
func ended(c *client) bool {
	c.read.Peek(1)
	return false
}

func TestSTARTTLS(t *testing.T) {
	secure := serverTLS(t)
	for service, c := range map[string]struct {
		spec       Spec
		asked      script // up to and including the command that asks for TLS
		yes, no    step
		inside     script // what follows over TLS
		detail     string
		notOffered string
		protocol   string
		command    string // the command that asks for TLS
		first      string // the first command over TLS
	}{
		"smtp": {
			asked: steps("< 220 mx ESMTP", "> EHLO director.example.org",
				"< 250-mx", "< 250-SIZE", "< 250 starttls", "> STARTTLS"),
			yes: say("220 go ahead"), no: say("454 not now"),
			inside: steps("> EHLO director.example.org", "< 250 mx", "> QUIT", "< 221 bye"),
			detail: "220 mx ESMTP", notOffered: "454 not now", protocol: "SMTP", command: "STARTTLS",
			first: "EHLO",
		},
		"imap": {
			spec:  Spec{Account: monitor},
			asked: steps("< * OK [CAPABILITY STARTTLS LOGINDISABLED] ready", "> s STARTTLS"),
			yes:   say("* some news", "s OK go ahead"), no: say("s BAD what?"),
			inside: steps(`> a LOGIN "monitor" "secret"`, "< a OK in", "> b LOGOUT",
				"< * BYE", "< b OK"),
			detail: "a OK in", notOffered: "s BAD what?", protocol: "IMAP", command: "STARTTLS",
			first: "LOGIN",
		},
		"pop": {
			spec:  Spec{Account: monitor},
			asked: steps("< +OK ready", "> STLS"),
			yes:   say("+OK go ahead"), no: say("-ERR what?"),
			inside: steps("> USER monitor", "< +OK", "> PASS secret", "< +OK in",
				"> QUIT", "< +OK"),
			detail: "+OK in", notOffered: "-ERR what?", protocol: "POP", command: "STLS", first: "USER",
		},
		"ftp": {
			spec:  Spec{Account: monitor, Request: "/"},
			asked: steps("< 220 ready", "> AUTH TLS"),
			yes:   say("234 go ahead"), no: say("530 what?"),
			inside: steps("> USER monitor", "< 331 and?", "> PASS secret", "< 230 in",
				"> CWD /", "< 250 /", "> TYPE I", "< 200 I", "> QUIT",
				"< 221 bye"),
			detail: "230 in", notOffered: "530 what?", protocol: "FTP", command: "AUTH", first: "USER",
		},
	} {
		t.Run(service, func(t *testing.T) {
			s := c.spec
			s.Service, s.StartTLS, s.Host = service, true, "mx.example.org"
			verify := s
			verify.TLSVerify, verify.TLSCA = true, newAuthority(t).file
			over := func(server *tls.Config) script { return steps(c.asked, c.yes, turn(server), c.inside) }
			injected := func(cl *client) bool { // in one segment: the client gets both at once
				said := &recorder{Conn: cl.Conn}
				c.yes(&client{Conn: said, t: t})
				cl.Write([]byte(string(said.text) + "250 pay no heed\r\n"))
				return ended(cl)
			}
			checkFakes(t, nil, []fakeCase{
				{"good", s, over(secure), "up: " + c.detail},
				{"good with server name", s, over(expectName(t, "mx.example.org")), "up: " + c.detail},
				{"good with old TLS", s, over(oldTLS(t)), "up: " + c.detail},
				{"rejected", s, steps(c.asked, c.no, ended),
					"down: STARTTLS not offered: " + c.notOffered},
				{"closed when asked", s, steps(c.asked),
					"down: connection closed waiting for the answer to " + c.command},
				{"silent in the handshake", late(s), steps(c.asked, c.yes, silent),
					"down: timeout in TLS handshake"},
				{"closed in the handshake", s, steps(c.asked, c.yes, hangUp),
					"down: TLS handshake: closed by the server"},
				{"continues in the clear", s,
					steps(c.asked, c.yes, hangOn, "< 250 pay no heed", ended),
					"down: TLS handshake: the port does not speak TLS"},
				{"word put in before TLS", s, steps(c.asked, injected),
					`down: STARTTLS: the server sent more in the clear: "250 pay no heed\r\n"`},
				{"closed under TLS", s, steps(c.asked, c.yes, turn(secure), c.inside[:1]),
					"down: connection closed waiting for the answer to " + c.first},
				{"certificate refused", verify, steps(c.asked, c.yes, refusedTurn(secure)),
					"down: certificate refused: certificate is valid for localhost, " +
						"not mx.example.org"},
				{"greeting too late", late(s), script{silent},
					"down: timeout waiting for the greeting"},
				{"no greeting", s, steps("< SSH-2.0-x", ended),
					"down: not " + c.protocol + `: "SSH-2.0-x"`},
			})
		})
	}
}

// recorder is a connection that keeps what is written to it.
type recorder struct {
	net.Conn
	text []byte
}

func (r *recorder) Write(b []byte) (int, error) {
	r.text = append(r.text, b...)
	return len(b), nil
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

func TestSTARTTLSThatIsNotOffered(t *testing.T) {
	smtp := Spec{Service: "smtp", StartTLS: true}
	submission := Spec{Service: "submission", StartTLS: true}
	imap := Spec{Service: "imap", StartTLS: true, Account: monitor}
	hello := steps("< 220 mx ESMTP", "> EHLO director.example.org")
	quit := steps("> QUIT", "< 221 bye")
	checkFakes(t, nil, []fakeCase{
		{"smtp", smtp, steps(hello, "< 250-STARTTLS.example.org", "< 250-XSTARTTLS", "< 250 SIZE", quit),
			"down: STARTTLS not offered"},
		{"submission", submission, steps(hello, "< 250 mx", quit), "down: STARTTLS not offered"},
		{"HELO only", smtp,
			steps(hello, "< 502 what?", "> HELO director.example.org", "< 250 mx", quit),
			"down: STARTTLS not offered"},
		{"logged in before TLS", imap, steps("< * PREAUTH welcome", "> b LOGOUT", "< b OK"),
			"down: STARTTLS not offered: * PREAUTH welcome"},
		{"imap not ready", imap, steps("< * BYE later", "> b LOGOUT", "< b OK"),
			"down: greeting: * BYE later"},
		{"hello under TLS rejected", smtp,
			steps(hello, "< 250-mx", "< 250 STARTTLS", "> STARTTLS", "< 220 go",
				turn(serverTLS(t)), "> EHLO director.example.org", "< 550 no",
				"> HELO director.example.org", "< 550 no", quit),
			"down: hello rejected: 550 no"},
		{"quoted password", imap,
			steps("< * OK", "> s STARTTLS", "< s NO secret", "> b LOGOUT", "< b OK"),
			"down: STARTTLS not offered: s NO …"},
	})
}

func TestFTPFetchesOverTLS(t *testing.T) {
	secure := serverTLS(t)
	file := Spec{Service: "ftp", StartTLS: true, Account: monitor,
		Request: "/status", Receive: "^all well$"}
	in := steps("< 220 ready", "> AUTH TLS", "< 234 go", turn(secure), "> USER monitor",
		"< 230 in", "> CWD /", "< 250 /", "> TYPE I", "< 200 I",
		"> EPSV", listenData("229 Extended (|||PORT|)"))
	private := steps("> PBSZ 0", "< 200 0", "> PROT P", "< 200 P")
	retrieve := steps("> RETR /status", "< 150 here it comes")
	done := steps("< 226 done", "> QUIT", "< 221 bye")
	resumed := func(c *client) bool {
		secured := tls.Server(c.Conn, secure)
		if err := secured.Handshake(); err != nil || !secured.ConnectionState().DidResume {
			c.t.Errorf("the session of the conversation is not resumed: %v", err)
		}
		secured.Write([]byte("all well\n"))
		secured.Close()
		return false
	}
	unended := func(c *client) bool {
		secured := tls.Server(c.Conn, secure)
		secured.Handshake()
		secured.Write([]byte("all well\n"))
		return false
	}
	checkFakes(t, nil, []fakeCase{
		{"good", file, steps(in, private, retrieve, transfer(resumed), done), "up: /status: 9 bytes"},
		{"file ends without a word", file, steps(in, private, retrieve, transfer(unended), done),
			"up: /status: 9 bytes"},
		{"transfer aborted", file, steps(in, private, retrieve, transfer(unended), "< 426 broken", ended),
			"down: transfer failed: 426 broken"},
		{"no protection", file,
			steps(in, "> PBSZ 0", "< 200 0", "> PROT P", "< 536 no", "> QUIT",
				"< 221 bye"),
			"down: PROT rejected: 536 no"},
		{"file in the clear", file, steps(in, private, retrieve, transfer(raw("all fine\n")), ended),
			"down: data: TLS handshake: the port does not speak TLS"},
		{"silent in the handshake", late(file), steps(in, private, retrieve, transfer(silent)),
			"down: data: timeout in TLS handshake"},
	})
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
