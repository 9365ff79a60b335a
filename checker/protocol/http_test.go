package protocol

import (
	"cmp"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"ldirectord/checker"
	"ldirectord/checker/settings"
	"ldirectord/checker/wire"
	"ldirectord/internal/testkit"
	"ldirectord/internal/testkit/nameserver"
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

// httpsSpec is such a check over TLS.
func httpsSpec(to netip.AddrPort, receive string) Spec {
	s := httpSpec(to, receive)
	s.Service, s.URL = "https", "https://"+to.String()+"/"
	return s
}

const okHead = "HTTP/1.1 200 OK\r\n"

func TestHTTPAnswers(t *testing.T) {
	testkit.Rows(t, "../../testdata/checker/http.txt", 6, func(t *testing.T, row []string) {
		testkit.Leaks(t)
		s := httpSpec(serve(t, saying(inFull(unquoted(t, row[4])))).addr, row[3])
		s.HTTPStatus, s.ReceiveHeader = settings.HTTPStatuses(row[1]), row[2]
		expect(t, checked(t, s), row[5])
	})
}

// manyTimes is a text with how often it is there: {x*3000}.
var manyTimes = regexp.MustCompile(`(?s)\{([^{}]+)\*(\d+)\}`)

func inFull(text string) string {
	return manyTimes.ReplaceAllStringFunc(text, func(word string) string {
		parts := manyTimes.FindStringSubmatch(word)
		n, _ := strconv.Atoi(parts[2])
		return strings.Repeat(parts[1], n)
	})
}

func unquoted(t *testing.T, text string) string {
	t.Helper()
	return testkit.Must(strconv.Unquote(`"`+text+`"`))(t, text)
}

func timed(t *testing.T, c Checker) (Result, time.Duration) {
	t.Helper()
	begin := time.Now()
	r := c.Check(t.Context())
	return r, time.Since(begin)
}

func TestHTTPChecksThatReachNoServer(t *testing.T) {
	for to, want := range map[string]string{
		"255.255.255.255:80": "down: connect: network is unreachable",
		"127.0.0.1:0":        "down: no port to connect to: neither the real server nor checkport gives one",
	} {
		testkit.Leaks(t)
		expect(t, checked(t, httpSpec(netip.MustParseAddrPort(to), "All good")), want)
	}
}

func TestHTTPRequests(t *testing.T) {
	s := serve(t, saying(okHead+"Content-Length: 0\r\n\r\n"))
	testkit.Rows(t, "../../testdata/checker/requests.txt", 3, func(t *testing.T, row []string) {
		spec := httpSpec(s.addr, "")
		apply(t, &spec, row[1])
		expect(t, checked(t, spec), "up: 200 OK")
		asked := s.asked()
		if got, want := asked[len(asked)-1], unquoted(t, row[2]); !strings.HasPrefix(got, want) {
			t.Errorf("asked %q, want %q", got, want)
		}
	})
}

func TestHTTPOverIPv6(t *testing.T) {
	s := serveOn(t, "[::1]:0", saying(okHead+"\r\nok"))
	passes(t, httpSpec(s.addr, "ok"))
	testkit.Contains(t, s.asked()[0], "\r\nHost: [::1]\r\n", "asked")
}

func TestRequestsThatCanNotBeAskedFor(t *testing.T) {
	for _, row := range testkit.Table(t, "../../testdata/checker/urls.txt", 2) {
		spec := httpSpec(netip.MustParseAddrPort("127.0.0.1:80"), "")
		spec.URL = row[0]
		expect(t, checked(t, spec), "down: request: "+row[1], row[0])
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
	nameserver.Use(t, func(name string) string {
		return map[bool]string{true: "fails", false: "none"}[name == "www.example.com."]
	})
	other := serveOn(t, "127.0.0.2:0", saying(okHead+"\r\nAll good"))
	elsewhere := "http://" + other.addr.String() + "/there"
	ours := map[netip.AddrPort]uint16{netip.MustParseAddrPort("192.0.2.1:80"): 1}
	e := &Env{PortOf: func(a, _ netip.AddrPort) (uint16, bool) { return ours[a], true }}
	testkit.Rows(t, "../../testdata/checker/redirects.txt", 5, func(t *testing.T, row []string) {
		if row[0] == "same server by name" && !knowsLocalhost() {
			t.Skip(noLocalhost)
		}
		testkit.Leaks(t)
		in := func(text string, s *testServer) string {
			return strings.NewReplacer("{server}", s.addr.String(), "{port}", port(s.addr),
				"{elsewhere}", elsewhere).Replace(text)
		}
		s := serve(t, redirectTo(func(s *testServer) string { return in(row[1], s) }))
		spec := httpSpec(s.addr, "All good")
		spec.Host = "www.example.com"
		apply(t, &spec, row[2])
		expect(t, build(t, spec, e).Check(t.Context()), in(row[3], s))
		asked := s.asked()
		if row[0] == "loop" && len(asked) != 1+maxRedirects {
			t.Errorf("asked %d times", len(asked))
		}
		testkit.Contains(t, strings.Join(asked, ""), unquoted(t, row[4]), "asked")
	})
}

// The last answer of a name server is used while it fails.
func TestANameServerThatFailsIsNotTheServersFailure(t *testing.T) {
	var says atomic.Value
	var asked atomic.Int32
	nameserver.Use(t, func(string) string {
		asked.Add(1)
		return says.Load().(string)
	})
	s := serve(t, redirectTo(func(s *testServer) string { return "http://web.example.com:" + port(s.addr) }))
	spec := httpSpec(s.addr, "All good")
	spec.NegotiateTimeout = 2 * slack
	c := build(t, spec, nil)
	const why = "redirected to http://web.example.com:*: look-up of web.example.com failed: "
	for i, row := range [][2]string{
		{"fails", "shortage: " + why + "server misbehaving"}, {"silent", "shortage: " + why + "timeout"},
		{"127.0.0.1 ::1", "up: 200 OK"}, {"fails", "up: 200 OK"}, {"silent", "up: 200 OK"},
		{"none", "down: " + why + "no such host"}, {"::1", "down: redirected to http://web.example.com:*"},
	} {
		says.Store(row[0])
		before := asked.Load()
		expect(t, c.Check(t.Context()), strings.ReplaceAll(row[1], ":*:", ":"+port(s.addr)+":"), i)
		if n := asked.Load() - before; i == 2 && n != 1 {
			t.Errorf("%d questions, want one for IPv4", n)
		}
	}
}

func TestRedirectToOurHTTPSServiceIsAskedAtItsPortOfTheServer(t *testing.T) {
	var hosts atomic.Value
	tlsAddr := serveHTTP(t, serverTLS(t),
		func(w http.ResponseWriter, r *http.Request) {
			hosts.Store(r.TLS.ServerName + " " + r.Host)
			io.WriteString(w, "All good")
		})
	s := serve(t, redirectTo(func(*testServer) string { return "https://192.0.2.1/here" }))
	spec := httpSpec(s.addr, "All good")
	spec.SNI = "www.example.com"
	for _, server := range []netip.Addr{s.addr.Addr(), netip.MustParseAddr("192.0.2.9")} {
		if server != s.addr.Addr() {
			spec.Through.Server = server // the target is the virtual address
		}
		e := &Env{PortOf: func(a, at netip.AddrPort) (uint16, bool) {
			testkit.Equal(t, a.String(), "192.0.2.1:443")
			testkit.Equal(t, at, netip.AddrPortFrom(server, s.addr.Port()))
			return tlsAddr.Port(), true // by a check without TLS
		}}
		expect(t, build(t, spec, e).Check(t.Context()), "up: 200 OK", server)
		testkit.Same(t, hosts.Swap(""), " 192.0.2.1", "host")
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
		if r.URL.Path == "/moved" {
			http.Redirect(w, r, cmp.Or(r.URL.RawQuery, "/"), http.StatusFound)
			return
		}
		fmt.Fprintf(w, "name=%s host=%s", r.TLS.ServerName, r.Host)
	}
	configs := map[string]*tls.Config{"": serverTLS(t), "TLS 1.0": oldTLS(t), "TLS 1.1": upTo(t, tls.VersionTLS11),
		"TLS 1.2": upTo(t, tls.VersionTLS12),
		"RSA key exchange": {Certificates: []tls.Certificate{selfSignedRSA(t)}, MaxVersion: tls.VersionTLS12,
			CipherSuites: []uint16{tls.TLS_RSA_WITH_AES_128_CBC_SHA}}}
	testkit.Rows(t, "../../testdata/checker/https.txt", 4, func(t *testing.T, row []string) {
		testkit.Leaks(t)
		spec := httpSpec(serveHTTP(t, configs[row[1]], handler), row[3])
		apply(t, &spec, "service=https; url=https://{target}/; "+
			strings.ReplaceAll(row[2], "{port}", port(spec.Target)))
		passes(t, spec)
	})
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
	c := build(t, httpsSpec(addr, ""), nil)
	check := func(n, want int) {
		t.Helper()
		for range n {
			c.(checker.Light).Resume(t.Context(), &wire.Conn{Conn: &wire.Received{}}) // in the loop
			testkit.Equal(t, c.Check(t.Context()).OK, broken.Load() == 0, "passed")
		}
		testkit.Equal(t, int(resumed.Swap(0)), want, "checks resumed a session, of", n)
	}
	check(10, 9)
	check(25, 22)
	broken.Store(1)
	check(1, 1)
	broken.Store(0)
	check(2, 1) // the first after a failure makes a full handshake
}

func TestCancelledCheckEndsAtOnceAndBlamesNobody(t *testing.T) {
	testkit.Leaks(t)
	for _, spec := range []Spec{httpSpec(serve(t, silence).addr, ""), connectSpec(testkit.DeafAddr(t)),
		externalSpec(writeScript(t, "#!/bin/sh\nexec sleep 60\n"))} {
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(50*time.Millisecond, cancel)
		begin := time.Now()
		expect(t, build(t, spec, nil).Check(ctx), "shortage: stopped", spec.Type)
		if took := time.Since(begin); took > slack {
			t.Errorf("%s took %v", spec.Type, took)
		}
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
		testkit.Equal(t, c.Check(t.Context()).OK, want, "check", i)
	}
}
