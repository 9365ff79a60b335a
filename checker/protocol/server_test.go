package protocol

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"math/big"
	"net"
	"net/http"
	"net/netip"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

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
	s := &testServer{addr: l.Addr().(*net.TCPAddr).AddrPort()}
	var conns sync.WaitGroup
	var mu sync.Mutex
	open := map[net.Conn]bool{}
	conns.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			open[c] = true
			mu.Unlock()
			conns.Go(func() {
				defer func() {
					mu.Lock()
					delete(open, c)
					mu.Unlock()
					c.Close()
				}()
				treat(s, c)
			})
		}
	})
	t.Cleanup(func() {
		l.Close()
		mu.Lock()
		for c := range open {
			c.Close()
		}
		mu.Unlock()
		conns.Wait()
	})
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

// thenSilence answers, and then keeps the connection open.
func thenSilence(answer string) func(*testServer, net.Conn) {
	return func(s *testServer, c net.Conn) {
		s.request(c)
		c.Write([]byte(answer))
		silence(s, c)
	}
}

// dripping sends a byte every few milliseconds, forever.
func dripping(first, drop string) func(*testServer, net.Conn) {
	return func(s *testServer, c net.Conn) {
		s.request(c)
		c.Write([]byte(first))
		for {
			time.Sleep(5 * time.Millisecond)
			if _, err := c.Write([]byte(drop)); err != nil {
				return
			}
		}
	}
}

// flooding sends forever, as fast as it can.
func flooding(first, more string) func(*testServer, net.Conn) {
	return func(s *testServer, c net.Conn) {
		s.request(c)
		c.Write([]byte(first))
		for {
			if _, err := c.Write([]byte(strings.Repeat(more, 1000))); err != nil {
				return
			}
		}
	}
}

// refusingPort returns an address of loopback that refuses connections.
func refusingPort(t testing.TB) netip.AddrPort {
	t.Helper()
	l := testkit.Must(net.Listen("tcp", "127.0.0.1:0"))(t)
	defer l.Close()
	return l.Addr().(*net.TCPAddr).AddrPort()
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

// leaks fails the test if goroutines or descriptors are left at its end. It must be called first, so that its cleanup
// runs last.
func leaks(t *testing.T) {
	t.Helper()
	before, files := len(goroutines()), descriptors()
	t.Cleanup(func() {
		for end := time.Now().Add(patient); len(goroutines()) > before || descriptors() > files; time.Sleep(time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("%d files, were %d; goroutines, were %d:\n%s", descriptors(), files, before, strings.Join(goroutines(), "\n\n"))
			}
		}
	})
}

// goroutines returns the stacks of all goroutines except the clock of the pattern engine, which runs for a second
// after a match.
func goroutines() []string {
	stacks := make([]byte, 1<<20)
	all := strings.Split(string(stacks[:runtime.Stack(stacks, true)]), "\n\n")
	return slices.DeleteFunc(all, func(stack string) bool { return strings.Contains(stack, "regexp2/v2.runClock") })
}

func descriptors() int {
	dir, err := os.Open("/proc/self/fd")
	if err != nil {
		return 0
	}
	defer dir.Close()
	names, _ := dir.Readdirnames(-1)
	return len(names)
}

// selfSigned is a self-signed certificate.
func selfSigned(t testing.TB) tls.Certificate {
	t.Helper()
	key := testkit.Must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))(t)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der := testkit.Must(x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key))(t)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// serveHTTP starts a server of net/http, with TLS when there is a configuration for it.
func serveHTTP(t testing.TB, config *tls.Config, h http.HandlerFunc) netip.AddrPort {
	t.Helper()
	l := testkit.Must(net.Listen("tcp", "127.0.0.1:0"))(t)
	addr := l.Addr().(*net.TCPAddr).AddrPort()
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
