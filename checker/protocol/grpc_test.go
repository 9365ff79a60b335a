package protocol

import (
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"ldirectord/checker"
	"ldirectord/internal/testkit"
)

// grpcServer is a server of HTTP/2, with TLS if there is a configuration.
func grpcServer(t *testing.T, secure *tls.Config, handle http.HandlerFunc) netip.AddrPort {
	s := httptest.NewUnstartedServer(handle)
	s.Config.Protocols = new(http.Protocols)
	s.Config.Protocols.SetUnencryptedHTTP2(true)
	s.Config.ErrorLog = discardLog
	if secure == nil {
		s.Start()
	} else {
		s.Config.Protocols.SetHTTP2(true)
		s.EnableHTTP2, s.TLS = true, secure
		s.StartTLS()
	}
	t.Cleanup(s.Close)
	return netip.MustParseAddrPort(s.Listener.Addr().String())
}

func grpcSpec(to netip.AddrPort, service string) Spec {
	return Spec{Type: "negotiate", Service: "grpc", Protocol: "tcp", Target: to, NegotiateTimeout: patient,
		Request: "/" + service}
}

// What a health service answers, in the clear and over TLS, and what is none.
func TestGRPCAnswers(t *testing.T) {
	const known = "shop.Cart"
	for _, row := range []struct {
		what, message, status, text string
		want                        string
	}{
		{"serving", "\x00\x00\x00\x00\x02\x08\x01", "0", "", "up: SERVING"},
		{"with a field of a later version", "\x00\x00\x00\x00\x04\x10\x05\x08\x01", "0", "", "up: SERVING"},
		{"not serving", "\x00\x00\x00\x00\x02\x08\x02", "0", "", "down: the health status is NOT_SERVING"},
		{"unknown by default", "\x00\x00\x00\x00\x00", "0", "", "down: the health status is UNKNOWN"},
		{"no such service", "\x00\x00\x00\x00\x02\x08\x03", "0", "",
			"down: the health status is SERVICE_UNKNOWN"},
		{"a status of the future", "\x00\x00\x00\x00\x02\x08\x09", "0", "", "down: the health status is 9"},
		{"not found", "", "5", "", `down: the server does not know the service "shop.Cart"`},
		{"no health service", "", "12", "", "down: the server has no health service (grpc.health.v1)"},
		{"an error", "", "14", "over\nload", `down: grpc-status 14: "over\nload"`},
		{"no status", "\x00\x00\x00\x00\x02\x08\x01", "", "", "down: not gRPC: the answer has no grpc-status"},
		{"compressed", "\x01\x00\x00\x00\x02\x08\x01", "0", "", "down: not gRPC: the answer is no message"},
		{"cut", "\x00\x00\x00\x00\x09\x08\x01", "0", "", "down: not gRPC: the answer is no message"},
		{"no number", "\x00\x00\x00\x00\x02\x0a\x01", "0", "", "down: the answer is no health status"},
		{"too long", strings.Repeat("x", maxGRPCAnswer+1), "0", "",
			"down: the answer is longer than 4096 bytes"},
	} {
		for _, secure := range []*tls.Config{nil, serverTLS(t)} {
			var asked string
			to := grpcServer(t, secure, func(w http.ResponseWriter, r *http.Request) {
				body, _ := io.ReadAll(r.Body)
				asked = fmt.Sprintf("%s %s %s %s %q", r.Method, r.URL.Path, r.Host,
					r.Header.Get("Content-Type"), body)
				w.Header().Set("Content-Type", "application/grpc")
				w.Header().Set("Trailer", "Grpc-Status, Grpc-Message")
				io.WriteString(w, row.message)
				if row.status != "" {
					w.Header().Set("Grpc-Status", row.status)
					w.Header().Set("Grpc-Message", strings.ReplaceAll(row.text, "\n", " "))
				}
			})
			s := grpcSpec(to, known)
			s.UseTLS, s.Host = secure != nil, "cart.example.com"
			expect(t, checked(t, s), strings.ReplaceAll(row.want, `\n`, " "), row.what, "TLS", s.UseTLS)
			testkit.Equal(t, asked,
				`POST /grpc.health.v1.Health/Check cart.example.com application/grpc `+
					`"\x00\x00\x00\x00\v\n\tshop.Cart"`,
				"the server")
		}
	}
}

// Servers that are none of gRPC, or that don't answer.
func TestGRPCOtherServers(t *testing.T) {
	testkit.Leaks(t)
	older := func(s *testServer, c net.Conn) {
		saying(okHead+"\r\nok")(s, c)
		silence(s, c) // a reset, for what it had not read, could overtake the answer
	}
	for what, row := range map[string]struct {
		treat func(*testServer, net.Conn)
		cause checker.Cause
	}{
		"HTTP/1": {older, checker.Answer},
		"closes": {closing, checker.Closed},
	} {
		s := grpcSpec(serve(t, row.treat).addr, "")
		s.NegotiateTimeout = short
		begun := time.Now()
		r := checked(t, s)
		if r.OK || r.Detail == "" || r.Cause != row.cause || time.Since(begun) > short+slack {
			t.Errorf("%s: %+v after %v", what, r, time.Since(begun))
		}
	}
}

// grpcTreat answers by HTTP/2 that it serves, and notes the requests.
func grpcTreat(s *testServer, c net.Conn) {
	ended := make(chan struct{})
	server := http.Server{Protocols: new(http.Protocols), ErrorLog: discardLog,
		ConnState: func(_ net.Conn, state http.ConnState) {
			if state == http.StateClosed {
				close(ended)
			}
		},
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			s.mu.Lock()
			s.requests = append(s.requests, fmt.Sprintf("%s %q", r.Host, body))
			s.mu.Unlock()
			w.Header().Set("Trailer", "Grpc-Status")
			io.WriteString(w, "\x00\x00\x00\x00\x02\x08\x01")
			w.Header().Set("Grpc-Status", "0")
		})}
	server.Protocols.SetUnencryptedHTTP2(true)
	server.Serve(&oneConn{Conn: c, ended: ended})
}

// oneConn is a listener that accepts one connection.
type oneConn struct {
	net.Conn
	accepted bool
	ended    chan struct{}
}

func (l *oneConn) Accept() (net.Conn, error) {
	if l.accepted {
		<-l.ended
		return nil, net.ErrClosed
	}
	l.accepted = true
	return l.Conn, nil
}

func (l *oneConn) Addr() net.Addr { return l.LocalAddr() }

// refusing answers each call by a frame that refuses it; stream has the bytes of the call's number.
func refusing(frame func(stream []byte) []byte) func(*testServer, net.Conn) {
	return func(_ *testServer, c net.Conn) {
		io.ReadFull(c, make([]byte, len("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")))
		c.Write([]byte{0, 0, 0, 4, 0, 0, 0, 0, 0}) // SETTINGS
		for head := make([]byte, 9); ; {
			if _, err := io.ReadFull(c, head); err != nil {
				return
			}
			io.ReadFull(c, make([]byte, int(head[0])<<16|int(head[1])<<8|int(head[2])))
			if head[3] == 1 { // HEADERS
				c.Write(frame(head[5:]))
			}
		}
	}
}

// A server that refuses calls, by RST_STREAM or GOAWAY (RFC 9113, 6.4 and 6.8), gets one, within the time of the check.
func TestGRPCRefusedCall(t *testing.T) {
	for want, frame := range map[string]func(stream []byte) []byte{
		"the server refuses the call (REFUSED_STREAM)": func(stream []byte) []byte {
			return slices.Concat([]byte{0, 0, 4, 3, 0}, stream, []byte{0, 0, 0, 7})
		},
		"the server is shutting down (GOAWAY)": func([]byte) []byte {
			return append([]byte{0, 0, 8, 7, 0, 0, 0, 0, 0}, make([]byte, 8)...)
		},
	} {
		begun := time.Now()
		expect(t, checked(t, grpcSpec(serve(t, refusing(frame)).addr, "")), "down: reading the answer: "+want)
		if took := time.Since(begun); took > patient/2 {
			t.Errorf("took %v", took)
		}
	}
}
