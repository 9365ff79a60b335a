package protocol

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"ldirectord/checker"
	"ldirectord/checker/settings"
	"ldirectord/internal/testkit"
)

var discardLog = log.New(io.Discard, "", 0)

const (
	patient = 5 * time.Second        // for checks that must not meet their deadline
	short   = 150 * time.Millisecond // for those that must
	slack   = 500 * time.Millisecond // what a busy machine may add
)

// httpSpec is a plain check of a server, as the director makes it.
func httpSpec(to netip.AddrPort, receive string) Spec {
	return Spec{
		Type: "negotiate", Service: "http", Protocol: "tcp", Target: to, NegotiateTimeout: patient,
		URL: "http://" + to.String() +
			"/index.html", Receive: receive, HTTP: settings.HTTP{HTTPMethod: "GET", FollowRedirect: "yes"},
	}
}

const okHead = "HTTP/1.1 200 OK\r\n"

// answerRow is a row of http.txt.
type answerRow struct{ name, status, header, receive, answer, want string }

func TestHTTPAnswers(t *testing.T) {
	page := strings.Repeat("x", 3000) + "All good\n"
	long := strings.Repeat("x", maxText-4) + "EDGE"
	rows := []answerRow{
		{"counted body", "", "", `All good$`,
			okHead + fmt.Sprintf("Content-Length: %d\r\n\r\n%s", len(page), page), "up: 200 OK"},
		{"body until closed", "", "", "All good", okHead + "\r\n" + page, "up: 200 OK"},
		{"match at the end of the cut", "", "", "EDGE", okHead + "\r\n" + long + "ignored", "up: 200 OK"},
		{"length beyond the cut", "", "", "EDGE$",
			okHead + "Content-Length: 99999999\r\n\r\n" + long + "ignored", "up: 200 OK"},
		{"chunk beyond the cut", "", "", "EDGE$",
			okHead + "Transfer-Encoding: chunked\r\n\r\nfffffff\r\n" + long + "ignored", "up: 200 OK"},
		{"other long body", "", "", "good", okHead + "\r\n" + strings.Repeat("é", 100),
			`down: body does not match /good/: got "` + strings.Repeat("é", 30) + `"…`},
		{"no match before the cut", "", "", "All good", okHead + "\r\n" + long + "All good",
			`down: body does not match /All good/ in its first 1048576 bytes: got "` +
				strings.Repeat("x", 60) + `"…`},
		{"endless chunk header", "", "", "", okHead + "Transfer-Encoding: chunked\r\n\r\n1;" +
			strings.Repeat("x", 2*maxChunkLine),
			"down: chunk header is longer than 4096 bytes"},
		{"huge header", "", "", "", okHead + strings.Repeat("X-Header: value\r\n", 10000) + "\r\n",
			"down: header is longer than 65536 bytes"},
		{"endless interim answers", "", "", "", strings.Repeat("HTTP/1.1 100 Continue\r\n\r\n", 10000),
			"down: header is longer than 65536 bytes"},
	}
	for _, c := range testkit.Table(t, "../../testdata/checker/http.txt", 6) {
		rows = append(rows, answerRow{c[0], c[1], c[2], c[3], unquoted(t, c[4]), c[5]})
	}
	for _, c := range rows {
		t.Run(c.name, func(t *testing.T) {
			testkit.Leaks(t)
			s := httpSpec(serve(t, saying(c.answer)).addr, c.receive)
			s.HTTPStatus, s.ReceiveHeader = settings.HTTPStatuses(c.status), c.header
			expect(t, checked(t, s), c.want)
		})
	}
}

func unquoted(t *testing.T, text string) string {
	t.Helper()
	return testkit.Must(strconv.Unquote(`"`+text+`"`))(t, text)
}

func TestHTTPServersThatDoNotAnswerInTime(t *testing.T) {
	for name, c := range map[string]struct {
		treat func(*testServer, net.Conn)
		want  string
	}{
		"silent":             {silence, "down: no answer in 150ms"},
		"half a status line": {thenSilence("HTTP/1.1 2"), "down: timeout in the header"},
		"header forever":     {thenSilence(okHead), "down: timeout in the header"},
		"body missing": {thenSilence(okHead + "Content-Length: 8\r\n\r\n"),
			"down: timeout in the body, 0 of 8 bytes received"},
		"body incomplete": {thenSilence(okHead + "Content-Length: 9\r\n\r\nAll good"),
			"down: timeout in the body, 8 of 9 bytes received"},
		"body forever": {thenSilence(okHead + "\r\nAll good"), "down: timeout in the body, 8 bytes received"},
		"chunk incomplete": {thenSilence(okHead + "Transfer-Encoding: chunked\r\n\r\n9\r\nAll good"),
			"down: timeout in the body, 8 bytes received"},
		"last chunk missing": {thenSilence(okHead + "Transfer-Encoding: chunked\r\n\r\n8\r\nAll good\r\n"),
			"down: timeout in the body, between chunks"},
		"dripping status line": {dripping("HTTP/1.1 200 ", "O"), "down: timeout in the header"},
		"dripping header":      {dripping(okHead, "X: y\r\n"), "down: timeout in the header"},
		"dripping interim":     {dripping("", "HTTP/1.1 100 Continue\r\n\r\n"), "down: timeout in the header"},
		"dripping body":        {dripping(okHead+"\r\nAll good", "x"), "down: timeout in the body, *"},
		"dripping chunks": {dripping(okHead+"Transfer-Encoding: chunked\r\n\r\n8\r\nAll good\r\n",
			"1\r\nx\r\n"), "down: timeout in the body, *"},
		"dripping chunk size": {dripping(okHead+"Transfer-Encoding: chunked\r\n\r\n", "0"),
			"down: timeout in the body, between chunks"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			spec := httpSpec(serve(t, c.treat).addr, "All good")
			moreTime(short, func(limit time.Duration) (Result, bool) {
				spec.NegotiateTimeout = limit
				r, took := timed(t, build(t, spec, nil))
				if took < limit || took > limit+slack {
					t.Errorf("took %v of %v", took, limit)
				}
				return r, fits(r, strings.ReplaceAll(c.want, short.String(), limit.String()))
			}, func(r Result) { expect(t, r, c.want) })
		})
	}
}

func timed(t *testing.T, c Checker) (Result, time.Duration) {
	t.Helper()
	begin := time.Now()
	r := c.Check(t.Context())
	return r, time.Since(begin)
}

func TestEndlessAnswersAreCutNotWaitedFor(t *testing.T) {
	for name, c := range map[string]struct {
		treat func(*testServer, net.Conn)
		want  string
	}{
		"endless line":   {flooding("", "HTTP/"), "down: header is longer than 65536 bytes"},
		"endless header": {flooding(okHead, "X: y\r\n"), "down: header is longer than 65536 bytes"},
		"endless body":   {flooding(okHead+"\r\n", "All good "), "up: 200 OK"},
		"endless chunks": {flooding(okHead+"Transfer-Encoding: chunked\r\n\r\n8\r\nAll good\r\n", "1\r\nx\r\n"),
			"up: 200 OK"},
	} {
		t.Run(name, func(t *testing.T) {
			testkit.Leaks(t)
			spec := httpSpec(serve(t, c.treat).addr, "All good")
			spec.NegotiateTimeout = time.Minute // a check that waits for the server fails then
			expect(t, checked(t, spec), c.want)
		})
	}
}

func TestHTTPConnectionFailures(t *testing.T) {
	resetting := serve(t, func(s *testServer, c net.Conn) {
		s.request(c)
		c.(*net.TCPConn).SetLinger(0)
	})
	halfAnswer := serve(t, func(s *testServer, c net.Conn) {
		s.request(c)
		c.Write([]byte(okHead + "\r\nAll good"))
		c.(*net.TCPConn).SetLinger(0)
	})
	halfClosed := serve(t, func(s *testServer, c net.Conn) {
		s.request(c)
		c.(*net.TCPConn).CloseWrite()
		silence(s, c)
	})
	for name, c := range map[string]struct {
		to   netip.AddrPort
		want string
	}{
		"refused":  {testkit.FreeAddr(t), "down: connect: refused"},
		"no route": {netip.MustParseAddrPort("255.255.255.255:80"), "down: connect: network is unreachable"},
		"no port": {netip.MustParseAddrPort("127.0.0.1:0"),
			"down: no port to connect to: neither the real server nor checkport gives one"},
		"reset":             {resetting.addr, "down: connection reset in the header"},
		"reset in the body": {halfAnswer.addr, "down: connection reset in the body, 8 bytes received"},
		"half closed":       {halfClosed.addr, "down: connection closed without an answer"},
	} {
		t.Run(name, func(t *testing.T) {
			testkit.Leaks(t)
			expect(t, checked(t, httpSpec(c.to, "All good")), c.want)
		})
	}
}

func TestHTTPRequests(t *testing.T) {
	s := serve(t, saying(okHead+"Content-Length: 0\r\n\r\n"))
	at := s.addr.String()
	const head = "GET /index.html HTTP/1.1\r\nHost: 127.0.0.1\r\n"
	const usual = head + "User-Agent: ldirectord\r\nConnection: close\r\n"
	login := func(s *Spec) { s.HTTPUser, s.HTTPPasswd = "me", "s3cret:x" }
	for name, c := range map[string]struct {
		change func(*Spec)
		want   string
	}{
		"plain": {func(*Spec) {}, usual + "\r\n"},
		"head": {func(s *Spec) { s.HTTPMethod = "HEAD" },
			"HEAD /index.html HTTP/1.1\r\nHost: 127.0.0.1\r\n"},
		"virtualhost": {func(s *Spec) { s.Host = "www.example.com:81" },
			"GET /index.html HTTP/1.1\r\nHost: www.example.com:81\r\n"},
		"virtualhost with newline": {func(s *Spec) { s.Host = "a\r\nX: y\r" },
			"GET /index.html HTTP/1.1\r\nHost: aX: y\r\n"},
		"query": {func(s *Spec) { s.URL = "http://" + at + "/a%2fb?c=d&e#f" },
			"GET /a%2fb?c=d&e HTTP/1.1\r\n"},
		"characters to be escaped": {func(s *Spec) { s.URL = "http://" + at + "/a b\xe9\"%zz" },
			"GET /a%20b%E9%22%25zz HTTP/1.1\r\n"},
		"no path": {func(s *Spec) { s.URL = "http://" + at }, "GET / HTTP/1.1\r\n"},
		"two slashes": {func(s *Spec) { s.URL = "http://" + at + "//a/../b" },
			"GET //a/../b HTTP/1.1\r\n"},
		"user and password": {func(s *Spec) { s.URL = "http://me:s3cret@" + at + "/" },
			"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: ldirectord\r\nConnection: close\r\n" +
				"Authorization: Basic bWU6czNjcmV0\r\n\r\n"},
		"proxy": {func(s *Spec) {
			s.Service, s.URL, s.Host = "http_proxy", "http://www.example.com/a?b", "ignored"
		},
			"GET http://www.example.com/a?b HTTP/1.1\r\nHost: www.example.com\r\n"},
		"proxy, password": {func(s *Spec) {
			s.Service, s.URL = "http_proxy",
				"http://me:s3cret@www.example.com:81"
		},
			"GET http://www.example.com:81/ HTTP/1.1\r\nHost: www.example.com:81\r\n" +
				"User-Agent: ldirectord\r\nConnection: close\r\nAuthorization: Basic bWU6czNjcmV0\r\n" +
				"\r\n"},
		"headers": {func(s *Spec) {
			s.HTTPHeaders = checker.ListOf("X-Forwarded-Proto: https",
				"X-Empty: ")
		}, usual + "X-Forwarded-Proto: https\r\nX-Empty:\r\n\r\n"},
		"no smuggling": {func(s *Spec) { s.HTTPHeaders = checker.ListOf("X-A: b\rHost: evil\x00") },
			usual + "X-A: bHost: evil\r\n\r\n"},
		"own agent": {func(s *Spec) { s.HTTPHeaders = checker.ListOf("user-agent: monitor/1") },
			head + "Connection: close\r\nuser-agent: monitor/1\r\n\r\n"},
		"log-in": {login, usual + "Authorization: Basic bWU6czNjcmV0Ong=\r\n\r\n"},
		"log-in wins": {func(s *Spec) { login(s); s.URL = strings.Replace(s.URL, "//", "//you:other@", 1) },
			usual + "Authorization: Basic bWU6czNjcmV0Ong=\r\n\r\n"},
		"header wins": {func(s *Spec) {
			s.HTTPHeaders = checker.ListOf("authorization: Bearer x")
			s.URL = strings.Replace(s.URL, "//", "//you:other@", 1)
		}, usual + "authorization: Bearer x\r\n\r\n"},
		"head with a log-in": {func(s *Spec) { login(s); s.HTTPMethod = "HEAD" },
			"HEAD" + usual[3:] + "Authorization: Basic bWU6czNjcmV0Ong=\r\n\r\n"},
		"proxy with a log-in": {func(s *Spec) {
			login(s)
			s.Service, s.URL, s.HTTPHeaders = "http_proxy", "http://www.example.com/",
				checker.ListOf("X-A: b")
		}, "GET http://www.example.com/ HTTP/1.1\r\nHost: www.example.com\r\nUser-Agent: ldirectord\r\n" +
			"Connection: close\r\nX-A: b\r\nProxy-Authorization: Basic bWU6czNjcmV0Ong=\r\n\r\n"},
		"proxy and URL": {func(s *Spec) {
			login(s)
			s.Service, s.URL = "http_proxy", "http://you:x@www.example.com/"
		}, "GET http://www.example.com/ HTTP/1.1\r\nHost: www.example.com\r\nUser-Agent: ldirectord\r\n" +
			"Connection: close\r\nProxy-Authorization: Basic bWU6czNjcmV0Ong=\r\n" +
			"Authorization: Basic eW91Ong=\r\n\r\n"},
	} {
		t.Run(name, func(t *testing.T) {
			spec := httpSpec(s.addr, "")
			c.change(&spec)
			expect(t, checked(t, spec), "up: 200 OK")
			asked := s.asked()
			if got := asked[len(asked)-1]; !strings.HasPrefix(got, c.want) {
				t.Errorf("asked %q, want %q", got, c.want)
			}
		})
	}
}

func TestHTTPHeadHasNoBodyToMatch(t *testing.T) {
	s := serve(t, saying(okHead+"Content-Length: 2\r\n\r\n"))
	spec := httpSpec(s.addr, "ok")
	spec.HTTPMethod = "HEAD"
	expect(t, checked(t, spec), `down: body does not match /ok/: got ""`)
	spec.Receive = ""
	passes(t, spec)
}

func TestHTTPOverIPv6(t *testing.T) {
	s := serveOn(t, "[::1]:0", saying(okHead+"\r\nok"))
	passes(t, httpSpec(s.addr, "ok"))
	testkit.Contains(t, s.asked()[0], "\r\nHost: [::1]\r\n", "asked")
}

func TestRequestsThatCanNotBeAskedFor(t *testing.T) {
	for url, want := range map[string]string{
		"":                          ": a check can request only http and https URLs",
		"/index.html":               "/index.html: a check can request only http and https URLs",
		"ftp://me:s3cret@host/x":    "ftp://host/x: a check can request only http and https URLs",
		"http:///x":                 "http:///x: no host",
		"http://me:s3cret@h:99999/": "http://h:99999/: bad port",
		"http://me:s3cret@h:x/":     `invalid port ":x" after host`,
	} {
		spec := httpSpec(netip.MustParseAddrPort("127.0.0.1:80"), "")
		spec.URL = url
		expect(t, checked(t, spec), "down: request: "+want, url)
	}
}

// redirectTo answers / with a redirect and all else with a page.
func redirectTo(location func(*testServer) string) func(*testServer, net.Conn) {
	return func(s *testServer, c net.Conn) {
		if strings.Contains(s.request(c), "/index.html ") {
			fmt.Fprintf(c, "HTTP/1.1 302 Found\r\nLocation: %s\r\n\r\n", location(s))
			return
		}
		c.Write([]byte(okHead + "\r\nAll good"))
	}
}

const noLocalhost = "nothing here knows the name localhost: there is no /etc/hosts"

// knowsLocalhost reports whether this machine has an address for localhost. In a container it may have none.
func knowsLocalhost() bool {
	_, err := net.LookupHost("localhost")
	return err == nil
}

func TestRedirects(t *testing.T) {
	other := serveOn(t, "127.0.0.2:0", saying(okHead+"\r\nAll good"))
	elsewhere := func(*testServer) string { return fmt.Sprintf("http://127.0.0.2:%d/there", other.addr.Port()) }
	here := func(s *testServer) string { return fmt.Sprintf("http://127.0.0.1:%d/here", s.addr.Port()) }
	byName := func(s *testServer) string { return fmt.Sprintf("http://localhost:%d/here", s.addr.Port()) }
	warning := "redirect to " + elsewhere(nil) + " leaves the server being checked"
	relative := func(location string) func(*testServer) string {
		return func(*testServer) string { return location }
	}
	for name, c := range map[string]struct {
		location func(*testServer) string
		follow   string
		want     string
	}{
		"relative":      {relative("here"), "yes", "up: 200 OK"},
		"absolute path": {relative("/a/b?c=d#e"), "server", "up: 200 OK"},
		"without scheme": {func(s *testServer) string { return "//" + s.addr.String() + "/here" },
			"server", "up: 200 OK"},
		"same server":            {here, "server", "up: 200 OK"},
		"same server by name":    {byName, "server", "up: 200 OK"},
		"same server, other way": {here, "", "up: 200 OK"},
		"not wanted":             {here, "no", "down: status 302, want 2xx"},
		"elsewhere":              {elsewhere, "yes", "up: 200 OK; warning: " + warning},
		"elsewhere, not wanted":  {elsewhere, "server", "down: status 302, want 2xx"},
		"loop": {relative("/index.html"), "yes",
			"down: redirected to http://127.0.0.1/index.html: status 302, want 2xx"},
		"another scheme": {relative("ftp://127.0.0.1/x"), "yes",
			"down: redirected to ftp://127.0.0.1/x: ftp://127.0.0.1/x: a check can request only http and " +
				"https URLs"},
		"no URL": {relative("http://127.0.0.1:bad/"), "yes",
			"down: redirected to http://127.0.0.1:bad/: this is not a URL"},
		"a log-in in no URL": {relative("http://kim:hunter2@127.0.0.1:bad/x"), "yes",
			"down: redirected to …@127.0.0.1:bad/x: this is not a URL"},
		"a log-in for a port": {relative("http://kim:hunter2/@127.0.0.1/x"), "yes",
			"down: redirected to …@127.0.0.1/x: this is not a URL"},
		"a log-in in no host": {relative("http:kim:hunter2@127.0.0.1/x"), "yes",
			"down: redirected to http:…@127.0.0.1/x: http:…@127.0.0.1/x: no host"},
		"bad port": {relative("http://127.0.0.1:99999/"), "yes",
			"down: redirected to http://127.0.0.1:99999/: http://127.0.0.1:99999/: bad port"},
		"unknown name": {relative("http://me:s3cret@no-such-host.invalid/x"), "yes",
			"down: redirected to http://no-such-host.invalid/x: look-up of no-such-host.invalid failed: *"},
	} {
		t.Run(name, func(t *testing.T) {
			if name == "same server by name" && !knowsLocalhost() {
				t.Skip(noLocalhost)
			}
			testkit.Leaks(t)
			s := serve(t, redirectTo(c.location))
			spec := httpSpec(s.addr, "All good")
			spec.FollowRedirect = c.follow
			r := checked(t, spec)
			r.Detail = strings.ReplaceAll(r.Detail, fmt.Sprintf(":%d", s.addr.Port()), "")
			expect(t, r, c.want)
			if name == "loop" && len(s.asked()) != 1+maxRedirects {
				t.Errorf("asked %d times", len(s.asked()))
			}
		})
	}
}

func TestRedirectToOurVirtualServiceIsAskedOfTheServer(t *testing.T) {
	vip := netip.MustParseAddrPort("192.0.2.1:80")
	for _, follow := range []string{"yes", "server"} {
		s := serve(t, redirectTo(func(*testServer) string { return "http://" + vip.Addr().String() + "/here" }))
		spec := httpSpec(s.addr, "All good")
		spec.Host, spec.FollowRedirect = "www.example.com", follow
		e := &Env{IsVirtual: func(a netip.AddrPort) bool { return a == vip }}
		expect(t, build(t, spec, e).Check(t.Context()), "up: 200 OK", follow)
		if asked := s.asked(); len(asked) != 2 ||
			!strings.HasPrefix(asked[1], "GET /here HTTP/1.1\r\nHost: 192.0.2.1\r\n") {
			t.Errorf("%s: asked %q", follow, asked)
		}
	}
}

func TestRedirectToOurHTTPSServiceIsAskedAtItsPortOfTheServer(t *testing.T) {
	var hosts atomic.Value
	tlsAddr := serveHTTP(t, serverTLS(t),
		func(w http.ResponseWriter, r *http.Request) {
			hosts.Store(r.Host)
			io.WriteString(w, "All good")
		})
	vip := netip.AddrPortFrom(netip.MustParseAddr("192.0.2.1"), tlsAddr.Port())
	s := serve(t, redirectTo(func(*testServer) string { return "https://" + vip.String() + "/here" }))
	e := &Env{IsVirtual: func(a netip.AddrPort) bool { return a == vip }}
	expect(t, build(t, httpSpec(s.addr, "All good"), e).Check(t.Context()), "up: 200 OK")
	testkit.Same(t, hosts.Load(), vip.String(), "host")
}

func TestProxyIsAskedWhatItRedirectsTo(t *testing.T) {
	s := serve(t, redirectTo(func(*testServer) string { return "http://www.example.net:81/there" }))
	spec := httpSpec(s.addr, "All good")
	spec.Service, spec.URL, spec.FollowRedirect = "http_proxy", "http://www.example.com/index.html", "server"
	expect(t, checked(t, spec), "up: 200 OK")
	if want := "GET http://www.example.net:81/there HTTP/1.1\r\n" +
		"Host: www.example.net:81\r\n"; len(s.asked()) != 2 || !strings.HasPrefix(s.asked()[1], want) {
		t.Errorf("asked %q, want %q", s.asked(), want)
	}
}

func TestAbsoluteRequestIsAskedOfItsHostAsInTheReference(t *testing.T) {
	other := serveOn(t, "127.0.0.2:0", saying(okHead+"\r\nAll good"))
	spec := httpSpec(netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), 1), "All good")
	spec.URL = "http://me:s3cret@" + other.addr.String() + "/x"
	expect(t, checked(t, spec),
		"up: 200 OK; warning: request http://"+other.addr.String()+"/x does not go to the server being checked")
	if want := "GET /x HTTP/1.1\r\nHost: 127.0.0.1\r\n"; !strings.HasPrefix(other.asked()[0], want) {
		t.Errorf("asked %q, want %q", other.asked()[0], want)
	}
}

func TestHTTPS(t *testing.T) {
	handler := func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "name=%s host=%s", r.TLS.ServerName, r.Host)
	}
	insecure := []uint16{tls.TLS_RSA_WITH_AES_128_CBC_SHA}
	rsaCert := selfSignedRSA(t)
	for name, c := range map[string]struct {
		config *tls.Config
		change func(*Spec)
		want   string
	}{
		"virtualhost is the server name": {serverTLS(t),
			func(s *Spec) { s.Host = "www.example.com:444" },
			"name=www.example.com host=www.example.com:444$"},
		"sni": {serverTLS(t),
			func(s *Spec) { s.Host, s.SNI = "www.example.com", "other.example.com" },
			"name=other.example.com host=www.example.com$"},
		"no name": {serverTLS(t), func(*Spec) {}, "name= host=127.0.0.1$"},
		"TLS 1.0": {oldTLS(t), func(*Spec) {}, "name="},
		"TLS 1.1": {upTo(t, tls.VersionTLS11), func(*Spec) {}, "name="},
		"TLS 1.2": {upTo(t, tls.VersionTLS12), func(*Spec) {}, "name="},
		"RSA key exchange": {&tls.Config{Certificates: []tls.Certificate{rsaCert},
			MaxVersion: tls.VersionTLS12, CipherSuites: insecure}, func(*Spec) {}, "name="},
	} {
		t.Run(name, func(t *testing.T) {
			testkit.Leaks(t)
			addr := serveHTTP(t, c.config, handler)
			spec := httpSpec(addr, c.want)
			spec.Service, spec.URL = "https", "https://"+addr.String()+"/"
			c.change(&spec)
			passes(t, spec)
		})
	}
}

func TestHTTPSResumesSessionsOfAHealthyServer(t *testing.T) {
	var resumed, broken atomic.Int32
	addr := serveHTTP(t, serverTLS(t),
		func(w http.ResponseWriter, r *http.Request) {
			if r.TLS.DidResume {
				resumed.Add(1)
			}
			w.WriteHeader(int(200 + 300*broken.Load()))
		})
	spec := httpSpec(addr, "")
	spec.Service, spec.URL = "https", "https://"+addr.String()+"/"
	c := build(t, spec, nil)
	check := func(n, want int) {
		t.Helper()
		resumed.Store(0)
		for range n {
			if r := c.Check(t.Context()); r.OK != (broken.Load() == 0) {
				t.Fatalf("%+v", r)
			}
		}
		if got := int(resumed.Load()); got != want {
			t.Errorf("%d of %d checks resumed a session, want %d", got, n, want)
		}
	}
	check(10, 9)
	check(20, 18)
	check(5, 4)
	broken.Store(1)
	check(1, 1)
	broken.Store(0)
	check(2, 1) // the first after a failure makes a full handshake
}

func TestHTTPSFailures(t *testing.T) {
	closing := serve(t, func(s *testServer, c net.Conn) { c.Read(make([]byte, 1)) })
	plain := serve(t, func(s *testServer, c net.Conn) {
		c.Read(make([]byte, 4096))
		io.WriteString(c, "HTTP/1.1 400 Bad Request\r\n\r\n")
	})
	for name, c := range map[string]struct {
		to   netip.AddrPort
		want string
	}{
		"plain server": {plain.addr, "down: TLS handshake: the port does not speak TLS"},
		"another protocol": {serve(t,
			func(s *testServer,
				c net.Conn) {
				c.Write([]byte("\x00\xff\x00\x01\x02\x03"))
				silence(s, c)
			}).addr,
			"down: TLS handshake: the port does not speak TLS"},
		"closing early": {closing.addr, "down: TLS handshake: reset by the server"},
		"no suite": {serveHTTP(t, &tls.Config{}, nil),
			"down: TLS handshake: remote error: tls: unrecognized name"},
	} {
		t.Run(name, func(t *testing.T) {
			spec := httpSpec(c.to, "")
			spec.Service, spec.URL = "https", "https://"+c.to.String()+"/"
			expect(t, checked(t, spec), c.want)
		})
	}
}

func TestCancelledCheckEndsAtOnceAndBlamesNobody(t *testing.T) {
	testkit.Leaks(t)
	spec := httpSpec(serve(t, silence).addr, "")
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(20*time.Millisecond, cancel)
	begin := time.Now()
	expect(t, build(t, spec, nil).Check(ctx), "shortage: stopped")
	if took := time.Since(begin); took > slack {
		t.Errorf("took %v", took)
	}
}

func TestCheckDoesNotDisturbTheNext(t *testing.T) {
	answers := []string{okHead + "\r\n" + strings.Repeat("secret", 20000), okHead + "Content-Length: 2\r\n\r\nok",
		"junk", okHead + "\r\nok"}
	var n atomic.Int32
	s := serve(t, func(s *testServer, c net.Conn) {
		s.request(c)
		io.WriteString(c, answers[int(n.Add(1)-1)%len(answers)])
	})
	c := build(t, httpSpec(s.addr, "^ok$"), nil)
	for i, want := range []bool{false, true, false, true} {
		if r := c.Check(t.Context()); r.OK != want {
			t.Errorf("check %d: %+v", i, r)
		}
	}
}
