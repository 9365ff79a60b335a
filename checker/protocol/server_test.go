package protocol

import (
	"bufio"
	"crypto/tls"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"testing"

	"ldirectord/internal/testkit"
)

// testServer is a listener on loopback whose connections are served by a function of the test.
type testServer struct {
	addr     netip.AddrPort
	mu       sync.Mutex // guards requests
	requests []string
}

// serve starts a server; serve6 starts one on ::1. Connections end with the test at the latest.
func serve(t testing.TB, treat func(*testServer, net.Conn)) *testServer {
	return serveOn(t, "127.0.0.1:0", treat)
}

func serveOn(t testing.TB, addr string, treat func(*testServer, net.Conn)) *testServer {
	t.Helper()
	l, err := net.Listen("tcp", addr)
	if err != nil {
		t.Skip("can't listen on ", addr, ": ", err)
	}
	s := &testServer{addr: testkit.AddrOf(l)}
	testkit.Serve(t, l, func(c net.Conn) { treat(s, c) })
	return s
}

// request reads the header of a request and records it.
func (s *testServer) request(c net.Conn) string {
	var b strings.Builder
	r := bufio.NewReader(c)
	for {
		line, err := r.ReadString('\n')
		b.WriteString(line)
		if err != nil || line == "\r\n" {
			break
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests = append(s.requests, b.String())
	return b.String()
}

func (s *testServer) asked() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.requests
}

// saying sends the same bytes after each request, and closes.
func saying(answer string) func(*testServer, net.Conn) {
	return func(s *testServer, c net.Conn) {
		s.request(c)
		c.Write([]byte(answer))
	}
}

// silence reads all that comes and never answers.
func silence(s *testServer, c net.Conn) {
	buf := make([]byte, 4096)
	for {
		if _, err := c.Read(buf); err != nil {
			return
		}
	}
}

// asking is a check of a service, with further settings as in rows of text.
func asking(t testing.TB, service string, to netip.AddrPort, words string) Spec {
	t.Helper()
	s := Spec{Type: "negotiate", Service: service, Protocol: "tcp", Target: to, NegotiateTimeout: inTime}
	apply(t, &s, words)
	return s
}

// build returns the checker of a spec that must be valid.
func build(t testing.TB, s Spec, e *Env) Checker {
	t.Helper()
	c := testkit.Must(New(s, e))(t)
	if byLoop.Load() {
		return looped{c}
	}
	return c
}

// checked makes the check of a spec once.
func checked(t testing.TB, s Spec) Result {
	t.Helper()
	return build(t, s, nil).Check(t.Context())
}

func passes(t testing.TB, s Spec) {
	t.Helper()
	if r := checked(t, s); !r.OK {
		t.Errorf("%+v", r)
	}
}

// verdict is a result as a transcript ends with it, and the warning if there is one. A result that proves nothing about
// the server begins with its cause.
func verdict(r Result) string {
	word := "down"
	if r.OK {
		word = "up"
	} else if !r.Conclusive() {
		word = r.Cause.String()
	}
	if r.Warning != "" {
		return word + ": " + r.Detail + "; warning: " + r.Warning
	}
	return word + ": " + r.Detail
}

// causeName is the cause of a failure, if it has one of those that are told apart.
func causeName(r Result) string { return strings.TrimPrefix(r.Cause.String(), "other") }

// fits reports whether a result has the wanted verdict. One that ends with * is how it begins.
func fits(r Result, want string) bool {
	begin, cut := strings.CutSuffix(want, "*")
	return verdict(r) == want || cut && strings.HasPrefix(verdict(r), begin)
}

// expect compares the verdict of a result.
func expect(t testing.TB, r Result, want string, words ...any) {
	t.Helper()
	if !fits(r, want) {
		testkit.Equal(t, verdict(r), want, words...)
	}
}

// serveHTTP starts a server of net/http, with TLS when there is a configuration for it.
func serveHTTP(t testing.TB, config *tls.Config, h http.HandlerFunc) netip.AddrPort {
	t.Helper()
	l := testkit.Listen(t)
	addr := testkit.AddrOf(l)
	if config != nil {
		l = tls.NewListener(l, config)
	}
	server := &http.Server{Handler: h, ErrorLog: discardLog}
	done := make(chan struct{})
	go func() {
		defer close(done)
		server.Serve(l)
	}()
	t.Cleanup(func() { server.Close(); <-done })
	return addr
}
