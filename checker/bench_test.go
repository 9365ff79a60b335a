package checker

import (
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"testing"

	"ldirectord/checker/icmp"
)

// benchmark makes one check again and again. The server of the benchmark runs in the same process:
// compare the results with each other.
func benchmark(b *testing.B, c Checker) {
	b.Helper()
	b.ReportAllocs()
	for b.Loop() {
		if r := c.Check(b.Context()); !r.OK {
			b.Fatalf("%+v", r)
		}
	}
}

// answering answers every request without looking at it, to cost little itself.
func answering(answer string) func(*testServer, net.Conn) {
	said := []byte(answer)
	return func(_ *testServer, c net.Conn) {
		var buf [1024]byte
		c.Read(buf[:])
		c.Write(said)
	}
}

func BenchmarkConnect(b *testing.B) {
	s := serve(b, func(*testServer, net.Conn) {})
	benchmark(b, build(b, connectSpec(s.addr), nil))
}

func BenchmarkHTTP(b *testing.B) {
	const page = "<html><body><p>backend is up: OK-perf</p></body></html>"
	s := serve(b, answering(okHead+"Server: test\r\nContent-Type: text/html\r\nContent-Length: 55\r\nConnection: close\r\n\r\n"+page))
	benchmark(b, build(b, httpSpec(s.addr, "OK-perf"), nil))
}

func BenchmarkHTTPS(b *testing.B) {
	addr := serveHTTP(b, &tls.Config{Certificates: []tls.Certificate{selfSigned(b)}}, func(w http.ResponseWriter, _ *http.Request) {
		io.WriteString(w, "OK-perf")
	})
	spec := httpSpec(addr, "OK-perf")
	spec.Service, spec.URL = "https", "https://"+addr.String()+"/"
	benchmark(b, build(b, spec, nil))
}

func BenchmarkPing(b *testing.B) {
	p := icmp.NewPinger()
	defer p.Close()
	if _, err := p.Ping(b.Context(), loopbacks[0], patient); err != nil {
		b.Skip(err)
	}
	spec := anySpec("ping")
	spec.Timeout = patient
	benchmark(b, build(b, spec, &Env{Pinger: p}))
}
