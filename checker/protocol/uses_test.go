package protocol

import (
	"crypto/tls"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"

	"ldirectord/checker"
	"ldirectord/checker/settings"
	"ldirectord/internal/testkit"
)

// uses are directives, and what each changes in the settings of a check.
func uses(t *testing.T) map[string]func(*Spec) {
	all := map[string]func(*Spec){
		"request": func(s *Spec) { s.Request += "x"; s.URL += "x" },
		"receive": func(s *Spec) { s.Receive += "x" },
	}
	for _, row := range testkit.Table(t, "../../testdata/checker/uses.txt", 2) {
		all[row[0]] = func(s *Spec) { apply(t, s, row[1]) }
	}
	return all
}

const longPassword = "longer than sixteen"

// goodServers are servers with which the checks of goodSpec pass, by service. There is no such server for Oracle.
func goodServers(t *testing.T, secure *tls.Config) map[string]func(*testServer, net.Conn) {
	overTLS := func(treat func(*testServer, net.Conn)) func(*testServer, net.Conn) {
		return func(s *testServer, c net.Conn) { treat(s, tls.Server(c, secure)) }
	}
	page := func(s *testServer, c net.Conn) {
		if head := s.request(c); strings.Contains(head, "/next ") {
			fmt.Fprint(c, okHead+"\r\ngood")
		} else {
			fmt.Fprint(c, "HTTP/1.1 302 Found\r\nLocation: /next\r\nContent-Length: 0\r\n\r\n")
		}
	}
	named := directory{user: "me", passwd: longPassword, entry: "good"}.treat
	reading := func(text string) func(*testServer, net.Conn) {
		return func(s *testServer,
			c net.Conn) {
			fmt.Fprint(c, text)
			c.(*tls.Conn).CloseWrite()
			silence(s, c)
		}
	}
	const hello = "220 x\r\n250-x\r\n250 STARTTLS\r\n221 x\r\n"
	const popOK, imapOK = "+OK\r\n+OK\r\n+OK\r\n+OK\r\n", "* OK\r\na OK\r\nb OK\r\n"
	return map[string]func(*testServer, net.Conn){
		"pgsql without TLS": pgAsking(nil, false),
		"http":              page, "http_proxy": page, "https": overTLS(page), "tls": overTLS(reading("")),
		"dns": closing, "simpletcp": brief("good\n"),
		"smtp": brief(hello), "submission": brief(hello), "nntp": brief("200 x\r\n205 x\r\n"),
		"ftp": brief("220 x\r\n331 x\r\n230 x\r\n250 x\r\n200 x\r\n"), "sip": brief("SIP/2.0 200 OK\r\n\r\n"),
		"pop": brief(popOK), "pops": overTLS(reading(popOK)), "imap": brief(imapOK),
		"imaps": overTLS(reading(imapOK)),
		"redis": brief("+OK\r\n+PONG\r\n$11\r\nrole:good\r\n\r\n"),
		"ldap":  named, "ldaps": overTLS(named),
		"mysql": myAsksForPassword(t, "caching_sha2_password"), "pgsql": pgAsking(secure, false),
		"oracle": listener(tnsAccepted(319)), "radius": closing, "none": closing, "grpc": grpcTreat,
	}
}

// The row of a service names a directive if and only if its check does something else with it: it sends other bytes, or
// its result differs. The parser warns of the others.
func TestServicesUseWhatTheirRowsName(t *testing.T) {
	needsOracle(t)
	var mu sync.Mutex
	var names []string // of TLS
	secure := serverTLS(t)
	secure.GetConfigForClient = func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
		mu.Lock()
		defer mu.Unlock()
		names = append(names, hello.ServerName)
		return nil, nil
	}
	servers, uses := goodServers(t, secure), uses(t)
	for service := range settings.Services() {
		if service.Name == "grpc" {
			continue // its frames have no fixed order; TestGRPCAnswers has its directives
		}
		t.Run(service.Name, func(t *testing.T) {
			run := func(change func(*Spec)) (lines []string) {
				for _, name := range []string{service.Name, service.Name + " without TLS"} {
					if treat := servers[name]; treat != nil {
						lines = append(lines, seen(t, serve(t, treat), service.Name, change)...)
					}
				}
				mu.Lock()
				defer mu.Unlock()
				lines, names = append(lines, names...), nil
				return lines
			}
			if servers[service.Name] == nil {
				t.Fatalf("goodServers of checker/protocol/uses_test.go has no row for %s", service.Name)
			}
			as := func(*Spec) {}
			first := run(as)
			steady := slices.DeleteFunc(slices.Clone(first),
				func(line string) bool { return !slices.Contains(run(as), line) })
			for name, change := range uses {
				if service.Is(settings.OverTLS) && (name == "sni" || name == "virtualhost") {
					continue // for-tls of the parser's table
				}
				got := run(change)
				same := len(got) == len(first) &&
					!slices.ContainsFunc(steady,
						func(line string) bool { return !slices.Contains(got, line) })
				if same == service.Takes(name) {
					t.Errorf("the row has %s: %v; as it is\n%s\nwith it\n%s", name,
						service.Takes(name), strings.Join(first, ""), strings.Join(got, ""))
				}
			}
			for name := range strings.FieldsSeq(service.Uses) {
				if uses[name] == nil {
					t.Errorf("testdata/checker/uses.txt has no row for %s", name)
				}
			}
		})
	}
}

// goodSpec is a check of one of the goodServers.
func goodSpec(t *testing.T, server *testServer, service string) Spec {
	s := Spec{Type: "negotiate", Service: service, Protocol: "tcp", NegotiateTimeout: inTime, Target: server.addr,
		Account: settings.Account{Login: "me", Passwd: longPassword,
			Secret: "key"}, Request: "/www", Receive: "good"}
	s.URL = strings.TrimSuffix(service, "_proxy") + "://" + s.Target.String() + "/"
	switch service {
	case "ftp":
		s.Request, s.Receive = "/", ""
	case "radius":
		s.Login, s.Passwd = "monitor", "password"
		s.Target = serveDatagrams(t, hostOf(s), radiusServer{secret: "key"}.answer)
	case "dns":
		s.Protocol, s.Receive = "udp", "2"
		s.Target = serveDatagrams(t, hostOf(s), namesGood)
	}
	return s
}

func TestEachServicePassesOverIPv4AndIPv6(t *testing.T) {
	needsOracle(t)
	servers := goodServers(t, serverTLS(t))
	servers["oracle"] = listener(tnsRefuse("(DESCRIPTION=(ERR=12505))"))
	for service, treat := range servers {
		for _, host := range []string{"127.0.0.1:0", "[::1]:0"} {
			s := goodSpec(t, serveOn(t, host, treat), strings.TrimSuffix(service, " without TLS"))
			if r := checked(t, s); !r.OK && r.Detail != "login rejected: ORA-12505" {
				t.Errorf("%s at %s: %+v", service, host, r)
			}
		}
	}
}

// seen is what a server sees of a check, and the result.
func seen(t *testing.T, server *testServer, service string, change func(*Spec)) (lines []string) {
	s := goodSpec(t, server, service)
	change(&s)
	c := build(t, s, nil)
	if service == "oracle" {
		asks, _ := checker.As[*oracleCheck](c)
		_, question, _ := strings.Cut(fmt.Sprintf("%+v", asks), "question:")
		return []string{strings.ReplaceAll(question, server.addr.String(), "SERVER")}
	}
	text := tapeOf(t, c)
	for line := range strings.Lines(strings.ReplaceAll(text, server.addr.String(), "SERVER")) {
		if _, sent, is := strings.Cut(line, "> "); is && service != "dns" || strings.Contains(line, "up:") ||
			strings.Contains(line, "down:") {
			_, result, _ := strings.Cut(line, " ms    ")
			if is {
				result = ""
			}
			parts := strings.Split(sent+result, `\x00`) // PostgreSQL's come in any order
			slices.Sort(parts)
			lines = append(lines, strings.Join(parts, " "))
		}
	}
	switch service {
	case "ldap", "ldaps":
		return []string{strings.Join(strings.Fields(strings.Join(lines, "")), "")} // it writes in pieces
	case "mysql":
		return append(lines, server.asked()...) // the password
	}
	return lines
}
