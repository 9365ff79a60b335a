package protocol

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"ldirectord/checker"
	"ldirectord/checker/settings"
	"ldirectord/internal/testkit"
)

// hangs are servers that stop answering at some stage. The key is the service and the stage that it still does. The
// value is the expected result: where the check failed, the stages that were done, and the cause.
var hangs = map[string]string{
	"http header":     "answer; connect, sent, first byte; timeout in the header",
	"http body":       "answer; connect, sent, first byte; timeout in the body, 9 of 100 bytes received",
	"https TLS":       "answer; connect, TLS, sent; no answer in 400ms",
	"https body":      "answer; connect, TLS, sent, first byte; timeout in the body, 9 of 100 bytes received",
	"smtp greets":     "answer; connect, sent, first byte; timeout waiting for the answer to EHLO",
	"smtp STARTTLS":   "answer; connect, sent, first byte; timeout waiting for the answer to STARTTLS",
	"smtp handshake":  "TLS; connect, sent, first byte; timeout in TLS handshake",
	"ftp greets":      "login; connect, sent, first byte; timeout waiting for the answer to USER",
	"ftp password":    "login; connect, sent, first byte; timeout waiting for the answer to PASS",
	"ftp file":        "answer; connect, sent, first byte; timeout waiting for the answer to CWD",
	"ftp TLS":         "answer; connect, sent, first byte; timeout waiting for the answer to AUTH",
	"ftp type":        "answer; connect, sent, first byte; timeout waiting for the answer to TYPE",
	"ftp port":        "answer; connect, sent, first byte; timeout waiting for the answer to EPSV",
	"ftp connection":  "connect; connect, sent, first byte; data connect: no answer in 400ms",
	"ftp begins":      "answer; connect, sent, first byte; timeout waiting for the answer to RETR",
	"ftp content":     "answer; connect, sent, first byte; timeout in the file",
	"ftp end":         "answer; connect, sent, first byte; timeout waiting for the end of the transfer",
	"pop TLS":         "answer; connect, sent, first byte; timeout waiting for the answer to STLS",
	"pop greets":      "login; connect, sent, first byte; timeout waiting for the answer to USER",
	"pops password":   "login; connect, TLS, sent, first byte; timeout waiting for the answer to PASS",
	"imap TLS":        "answer; connect, sent, first byte; timeout waiting for the answer to STARTTLS",
	"ldap TLS":        "TLS; connect, sent; STARTTLS: timeout",
	"imap greets":     "login; connect, sent, first byte; timeout waiting for the answer to LOGIN",
	"imaps greets":    "login; connect, TLS, sent, first byte; timeout waiting for the answer to LOGIN",
	"simpletcp piece": "answer; connect, sent, first byte; timeout in the answer",
	"redis login":     "answer; connect, sent, first byte; timeout waiting for the answer to PING",
	"ldap login":      "answer; connect, sent, first byte; search: timeout",
	"mysql greets":    "login; connect, sent, first byte; login: timeout",
	"mysql login":     "answer; connect, sent, first byte; query: timeout",
	"pgsql greets":    "login; connect, sent, first byte; login: timeout",
	"pgsql login":     "answer; connect, sent, first byte; query: timeout",
	"oracle accepted": "login; connect, sent, first byte; login: timeout",
	"dns silent":      "answer; sent; no answer in 400ms",
	"sip piece":       "answer; connect, sent, first byte; timeout waiting for the answer",
	"sip silent":      "answer; sent; no answer in 400ms",
	"radius silent": "answer; sent; no answer in 400ms (a server is also silent when it does not know us or " +
		"the …)",
	"ping silent":     "connect; ; ping: no answer in 400ms",
	"external sleeps": "answer; ; did not end in 400ms, killed",
	"http search": "answer; connect, sent, first byte, whole answer; cannot be judged: matching took too " +
		"long with /" + slow + "/",

	// These servers accept the connection and do nothing else.
	"http": "answer; connect, sent; no answer in 400ms", "http_proxy": "answer; connect, sent; no answer in 400ms",
	"simpletcp": "answer; connect, sent; no answer in 400ms", "grpc": "answer; connect, sent; no answer in 400ms",
	"ftp":        "answer; connect; timeout waiting for the greeting",
	"imap":       "answer; connect; timeout waiting for the greeting",
	"nntp":       "answer; connect; timeout waiting for the greeting",
	"pop":        "answer; connect; timeout waiting for the greeting",
	"smtp":       "answer; connect; timeout waiting for the greeting",
	"submission": "answer; connect; timeout waiting for the greeting",
	"mysql":      "answer; connect; greeting: timeout",
	"ldap":       "login; connect, sent; login: timeout", "pgsql": "login; connect, sent; login: timeout",
	"oracle": "login; connect, sent; login: timeout",
	"redis":  "login; connect, sent; timeout waiting for the answer to AUTH",
	"https":  "TLS; connect; timeout in TLS handshake", "imaps": "TLS; connect; timeout in TLS handshake",
	"ldaps": "TLS; connect; timeout in TLS handshake",
	"pops":  "TLS; connect; timeout in TLS handshake", "tls": "TLS; connect; timeout in TLS handshake",
}

// hangSpec is a check of a service, with a log-in where the service has one.
func hangSpec(service, target string) Spec {
	s := Spec{
		Type: "negotiate", Service: service, Protocol: "tcp", NegotiateTimeout: tooLate, Timeout: tooLate,
		Target: netip.MustParseAddrPort(target),
		URL:    service + "://" + target + "/", Request: "/SELECT 1", Receive: "good",
		Account: settings.Account{Database: "db", Login: "monitor", Passwd: "password", Secret: "secret"},
	}
	if service == "http_proxy" {
		s.URL = "http://" + target + "/"
	}
	if service == "dns" {
		s.Request = "/www.example.org"
	}
	if slices.Contains(overUDP, service) {
		s.Protocol = "udp"
	}
	return s
}

var (
	overUDP  = []string{"dns", "radius", "sip"}    // by themselves
	speakUDP = []string{"dns", "sip", "simpletcp"} // if they are told to
)

// Each service tells of a port at which nothing listens.
func TestClosedPorts(t *testing.T) {
	needsOracle(t)
	testkit.Leaks(t)
	for _, service := range Services() {
		for _, protocol := range []string{"tcp", "udp"} {
			for _, host := range []string{"127.0.0.1", "::1"} {
				s := hangSpec(service, closedPort(t, host).String())
				s.Protocol, s.NegotiateTimeout = protocol, inTime
				want := "down: connect: refused"
				switch {
				case service == "none":
					want = "up: service none"
				case service == "radius" || protocol == "udp" && slices.Contains(speakUDP, service):
					want = "down: udp: refused"
				}
				expect(t, checked(t, s), want, service, protocol, host)
			}
		}
	}
}

// In each stage of each protocol a server may hang. The result names that stage.
func TestAHangIsNamedByItsStage(t *testing.T) {
	needsOracle(t)
	testkit.Leaks(t)
	t.Run("checks", checkHangs)
}

func checkHangs(t *testing.T) {
	made := map[string]bool{}
	hang := func(name string, s Spec, e *Env, want string) {
		made[name] = true
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var got string
			moreTime(tooLate, func(limit time.Duration) (Result, bool) {
				s.Timeout, s.NegotiateTimeout = limit, limit
				r, took := timed(t, build(t, s, e))
				if took > limit+spare || took < limit && r.Cause == checker.Timeout && e == nil {
					t.Errorf("took %v of %v", took, limit)
				}
				stage := [...]string{"start", "connect", "TLS", "login", "answer", "match"}[r.Stage]
				got = fmt.Sprintf("%s; %s; %s", stage, reached(r.Stages),
					strings.ReplaceAll(r.Detail, limit.String(), tooLate.String()))
				cause := checker.Timeout
				if name == "http search" { // it proves nothing about the server
					cause = checker.Unjudged
				}
				return r, got == want && !r.OK && r.Cause == cause
			}, func(r Result) { t.Errorf("%v, %s\nwant %s", r.Cause, got, want) })
		})
	}
	unserved := testkit.DeafAddr(t).String()
	for _, service := range Services() {
		if service == "none" || slices.Contains(overUDP, service) {
			continue
		}
		if hangs[service] == "" {
			t.Errorf("hangs of hangs_test.go has no row for %s", service)
		}
		hang(service+" not accepted", hangSpec(service, unserved), nil,
			"connect; ; connect: no answer in 400ms")
		hang(service, hangSpec(service, serveScript(t, "127.0.0.1", nil, stay).String()), nil, hangs[service])
	}

	head, body := raw("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n"), raw("\r\nbeginning")
	mail := steps("< 220 x", "> EHLO [127.0.0.1]", "< 250-x", "< 250 STARTTLS", "> STARTTLS")
	user := steps("< 220 x", "> USER monitor", "< 331 x")
	file := steps(user, "> PASS password", "< 230 x", "> CWD /", "< 250 x", "> TYPE I",
		"< 200 x")
	fetch := func(from netip.AddrPort) script {
		return steps(file, "> EPSV", fmt.Sprintf("< 229 x (|||%d|)", from.Port()))
	}
	transfer := func(from ...step) script {
		return steps(fetch(serveScript(t, "127.0.0.1", nil, from...)), "> RETR /folder/file", "< 150 x")
	}
	for _, c := range []struct {
		name, service string
		steps         script
	}{
		{"http header", "http", steps(head)}, {"http body", "http", steps(head, body)},
		{"https TLS", "https", nil}, {"https body", "https", steps(head, body)},
		{"smtp greets", "smtp", steps("< 220 x")}, {"smtp STARTTLS", "smtp", mail},
		{"smtp handshake", "smtp", steps(mail, "< 220 go")},
		{"ftp greets", "ftp", steps("< 220 x")}, {"ftp password", "ftp", user},
		{"ftp file", "ftp", steps(user, "> PASS password", "< 230 x")},
		{"ftp TLS", "ftp", steps("< 220 x", "> AUTH TLS")}, {"ftp type", "ftp", file[:len(file)-2]},
		{"ftp port", "ftp", file},
		{"ftp connection", "ftp", fetch(testkit.DeafAddr(t))},
		{"ftp begins", "ftp", fetch(serveScript(t, "127.0.0.1", nil, stay))},
		{"ftp content", "ftp", transfer(raw("some"), stay)}, {"ftp end", "ftp", transfer(raw("good"))},
		{"pop TLS", "pop", steps("< +OK", "> STLS")},
		{"imap TLS", "imap", steps("< * OK", "> s STARTTLS")},
		{"ldap TLS", "ldap", nil}, {"sip piece", "sip", steps("< SIP/2.0 200 OK")},
		{"pop greets", "pop", steps("< +OK")},
		{"pops password", "pops", steps("< +OK", "> USER monitor", "< +OK")},
		{"imap greets", "imap", steps("< * OK")}, {"imaps greets", "imaps", steps("< * OK")},
		{"simpletcp piece", "simpletcp", steps(raw("some"))},
	} {
		secure := serverTLS(t)
		if !slices.Contains([]string{"https", "imaps", "pops"}, c.service) {
			secure = nil
		}
		s := hangSpec(c.service, serveScript(t, "127.0.0.1", secure,
			slices.Concat(c.steps, steps(stay))...).String())
		s.StartTLS = secure == nil && strings.Contains(c.name, "TLS") || c.name == "smtp handshake"
		s.Protocol = "tcp"
		if c.service == "ftp" {
			s.Request = "/folder/file"
		}
		hang(c.name, s, nil, hangs[c.name])
	}
	for name, treat := range map[string]func(*testServer, net.Conn){
		"redis login": redisServer(map[string]string{"AUTH": "+OK\r\n"}), "ldap login": afterBind(silence),
		"mysql greets": myUntilLogin(silence), "mysql login": myUntilQuery(silence),
		"pgsql greets": pgUntilLogin(silence), "pgsql login": pgUntilQuery(silence),
		"oracle accepted": listener(tnsAccepted(314)), "http search": page(slowText),
	} {
		var service string
		fmt.Sscan(name, &service)
		s := hangSpec(service, serve(t, treat).addr.String())
		if service == "http" {
			s.Receive = slow
		}
		hang(name, s, &Env{Matching: hasty()}, hangs[name])
	}

	for _, service := range overUDP {
		mute := serveDatagrams(t, "127.0.0.1", replies())
		hang(service+" silent", hangSpec(service, mute.String()), nil, hangs[service+" silent"])
	}
	ping := anySpec("ping")
	ping.Timeout = tooLate
	hang("ping silent", ping, &Env{Pinger: &fakePinger{errs: []error{os.ErrDeadlineExceeded}}},
		hangs["ping silent"])
	program := externalSpec(writeScript(t, "sleep 60"))
	program.Type, program.Timeout = "external", tooLate
	hang("external sleeps", program, nil, hangs["external sleeps"])
	for name := range hangs {
		if !made[name] {
			t.Errorf("%s is not tried", name)
		}
	}
}
