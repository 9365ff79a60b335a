package protocol

import (
	"bufio"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"ldirectord/checker"
	"ldirectord/checker/icmp"
	"ldirectord/checker/settings"
	"ldirectord/checker/wire"
	"ldirectord/internal/testkit"
)

// benchmark makes one check in a loop. The server of the benchmark runs in the same process:
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

// answering answers every request without reading all of it, so that the server costs little.
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
	s := serve(b, answering(okHead+"Server: test\r\nContent-Type: text/html\r\nContent-Length: 55\r\n"+
		"Connection: close\r\n\r\n"+page))
	benchmark(b, build(b, httpSpec(s.addr, "OK-perf"), nil))
}

func BenchmarkHTTPS(b *testing.B) {
	addr := serveHTTP(b, &tls.Config{Certificates: []tls.Certificate{testkit.SelfSigned(b)}},
		func(w http.ResponseWriter, _ *http.Request) {
			io.WriteString(w, "OK-perf")
		})
	benchmark(b, build(b, httpsSpec(addr, "OK-perf"), nil))
}

func BenchmarkPing(b *testing.B) {
	p := icmp.NewPinger()
	defer p.Close()
	if _, err := p.Ping(b.Context(), loopbacks[0], settings.Path{}, patient); err != nil {
		b.Skip(err)
	}
	spec := anySpec("ping")
	spec.Timeout = patient
	benchmark(b, build(b, spec, &Env{Pinger: p}))
}

// The two benchmarks of each pair compare our own code, which reads answers and connects, with the standard
// library's. The difference is the reason for having it.

const benchAnswer = okHead + "Server: test\r\nContent-Type: text/html\r\nContent-Length: 55\r\nConnection: close\r\n" +
	"\r\n" +
	"<html><body><p>backend is up: OK-perf</p></body></html>"

func BenchmarkAnswerOwn(b *testing.B) {
	b.ReportAllocs()
	limits := NewMatching()
	text := strings.NewReader("")
	server := havingSaid(text)
	for b.Loop() {
		text.Reset(benchAnswer)
		r := newAnswerReader(b.Context(), patient, limits)
		r.reset(server)
		a, err := r.answer()
		if err == nil {
			err = r.readBody(&a)
		}
		if err != nil || len(a.body) != 55 {
			b.Fatalf("%q, %v", a.body, err)
		}
		r.close()
	}
}

// BenchmarkJudge measures all that an HTTP check does after its answer has come, in the loop of light checks.
func BenchmarkJudge(b *testing.B) {
	c := build(b, httpSpec(netip.MustParseAddrPort("192.0.2.1:80"), "OK-perf"), nil).(checker.Light)
	deadline := time.Now().Add(time.Hour)
	b.ReportAllocs()
	for b.Loop() {
		part := wire.Received{Head: []byte(benchAnswer)}
		if r := c.Resume(b.Context(), &wire.Conn{Conn: &part, Deadline: deadline}); !r.OK {
			b.Fatalf("%+v", r)
		}
	}
}

func BenchmarkAnswerNetHTTP(b *testing.B) {
	b.ReportAllocs()
	in := bufio.NewReaderSize(nil, maxChunkLine)
	for b.Loop() {
		in.Reset(io.LimitReader(strings.NewReader(benchAnswer), maxHead))
		a, err := http.ReadResponse(in, nil)
		if err != nil {
			b.Fatal(err)
		}
		if body, err := io.ReadAll(io.LimitReader(a.Body, maxText)); err != nil || len(body) != 55 {
			b.Fatalf("%q, %v", body, err)
		}
	}
}
