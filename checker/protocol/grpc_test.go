package protocol

import (
	"bytes"
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
	for _, row := range testkit.Table(t, "../../testdata/checker/grpc.txt", 5) {
		message := strings.ReplaceAll(bare(t, row[1]), "{long}", strings.Repeat("x", maxGRPCAnswer+1))
		for _, secure := range []*tls.Config{nil, serverTLS(t)} {
			var asked string
			to := grpcServer(t, secure, func(w http.ResponseWriter, r *http.Request) {
				body, _ := io.ReadAll(r.Body)
				asked = fmt.Sprintf("%s %s %s %s %q", r.Method, r.URL.Path, r.Host,
					r.Header.Get("Content-Type"), body)
				w.Header().Set("Content-Type", "application/grpc")
				w.Header().Set("Trailer", "Grpc-Status, Grpc-Message")
				io.WriteString(w, message)
				if row[2] != "" {
					w.Header().Set("Grpc-Status", row[2])
					w.Header().Set("Grpc-Message", row[3])
				}
			})
			s := grpcSpec(to, "shop.Cart")
			s.UseTLS, s.Host = secure != nil, "cart.example.com"
			expect(t, checked(t, s), row[4], row[0], "TLS", s.UseTLS)
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
// So does a server that sends WINDOW_UPDATE (6.9) forever.
func TestGRPCRefusedCall(t *testing.T) {
	for want, frame := range map[string]func(stream []byte) []byte{
		"the server refused the call (REFUSED_STREAM)": func(stream []byte) []byte {
			return slices.Concat([]byte{0, 0, 4, 3, 0}, stream, []byte{0, 0, 0, 7})
		},
		"the server is shutting down (GOAWAY)": func([]byte) []byte {
			return append([]byte{0, 0, 8, 7, 0, 0, 0, 0, 0}, make([]byte, 8)...)
		},
		"the answer is too long": func([]byte) []byte {
			return bytes.Repeat([]byte{0, 0, 4, 8, 0, 0, 0, 0, 0, 0, 0, 0, 1}, maxGRPCTalk/13+1)
		},
	} {
		begun := time.Now()
		expect(t, checked(t, grpcSpec(serve(t, refusing(frame)).addr, "")), "down: reading the answer: "+want)
		if took := time.Since(begun); took > patient/2 {
			t.Errorf("took %v", took)
		}
	}
}
