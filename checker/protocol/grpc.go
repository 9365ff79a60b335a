package protocol

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync/atomic"

	"ldirectord/checker/wire"
)

// grpc asks a gRPC server for the health of a service with grpc.health.v1.Health/Check, a unary call over HTTP/2
// (github.com/grpc/grpc: doc/health-checking.md, doc/PROTOCOL-HTTP2.md).
type grpc struct {
	server
	secured
	host    string // :authority
	service string // "": the whole server
}

// maxGRPCAnswer is the maximum length of an answer, in bytes. A proper answer has seven bytes.
const maxGRPCAnswer = 4 << 10

// maxGRPCTalk is how many bytes a server may send in total. Without a limit, it could endlessly send frames that are
// not part of an answer.
const maxGRPCTalk = 1 << 20

// grpcHead is the length, in bytes, of what precedes a message: a flag and the message's length.
const grpcHead = 5

func newGRPC(s Spec, e *Env, _ *matcher) (Checker, error) {
	c := &grpc{server: serverOf(s), host: cmp.Or(s.Host, s.Target.String()),
		service: strings.TrimPrefix(s.Request, "/")}
	var err error
	if c.secured, err = e.secured(s); err == nil && c.tls != nil {
		c.tls.NextProtos = []string{"h2"}
	}
	return c, err
}

// Check implements Checker.
func (c *grpc) Check(ctx context.Context) Result {
	server, err := c.dial(ctx)
	if err != nil {
		return failed(err)
	}
	defer server.Close()
	raw := &noting{Conn: server.Conn, in: wire.Bounded{From: server.Conn, Left: maxGRPCTalk}}
	server.Conn = raw
	if err := server.OpenTLS(c.tls); err != nil {
		return failed(err)
	}
	if server.TLS != nil && server.TLS.ConnectionState().NegotiatedProtocol != "h2" {
		return failed(wire.AtTLS.Of(errors.New("the server does not offer HTTP/2 over TLS")))
	}
	seen, err := c.ask(ctx, server, raw)
	result := concluded(seen, err)
	result.Warning = c.rules.Warning(server)
	return result
}

// ask makes the call on a connection.
func (c *grpc) ask(ctx context.Context, server *wire.Conn, raw *noting) (string, error) {
	way := &http.Transport{DisableCompression: true, MaxResponseHeaderBytes: maxHead,
		Protocols: new(http.Protocols)}
	defer way.CloseIdleConnections()
	way.DialContext = func(context.Context, string, string) (net.Conn, error) { return server, nil }
	way.DialTLSContext = func(context.Context, string, string) (net.Conn, error) { return server.TLS, nil }
	scheme := "http"
	if way.Protocols.SetUnencryptedHTTP2(true); server.TLS != nil {
		scheme = "https"
		way.Protocols.SetHTTP2(true)
	}
	ctx, cancel := context.WithDeadline(ctx, server.Deadline)
	defer cancel()
	r, err := c.request(ctx, scheme)
	if err != nil {
		return "", err
	}
	answer, err := way.RoundTrip(r)
	if err != nil {
		return "", wire.ReadFault("the answer", false, c.timeout, server.OwnFault(raw.cause(err)))
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return "", fmt.Errorf("status %03d, want 200", answer.StatusCode)
	}
	message, err := io.ReadAll(io.LimitReader(answer.Body, maxGRPCAnswer+1))
	if err != nil {
		return "", wire.ReadFault("the answer", len(message) > 0, c.timeout, raw.cause(err))
	}
	if len(message) > maxGRPCAnswer {
		return "", fmt.Errorf("the answer is longer than %d bytes", maxGRPCAnswer)
	}
	end := answer.Trailer
	if end.Get("Grpc-Status") == "" { // an answer without a message has its status in the header
		end = answer.Header
	}
	if err := c.judgeCall(end.Get("Grpc-Status"), end.Get("Grpc-Message")); err != nil {
		return "", err
	}
	return judgeHealth(message)
}

func (c *grpc) request(ctx context.Context, scheme string) (*http.Request, error) {
	url := scheme + "://" + c.target.String() + "/grpc.health.v1.Health/Check"
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(c.question()))
	if err != nil {
		return nil, err
	}
	r.GetBody = nil // a request that the server refuses is not sent again
	r.Host = c.host
	r.Header = http.Header{"Content-Type": {"application/grpc"}, "Te": {"trailers"}, "User-Agent": {"ldirectord"}}
	return r, nil
}

// noting is a connection that remembers why reading failed. The transport may report another error, depending on when
// the connection ended.
type noting struct {
	net.Conn
	in     wire.Bounded          // what Conn receives
	failed atomic.Pointer[error] // the first error
	older  atomic.Bool           // an HTTP/1 answer came
}

func (n *noting) Read(p []byte) (int, error) {
	read, err := n.in.Read(p)
	if bytes.HasPrefix(p[:read], httpMark) { // HTTP/2 begins with a frame
		n.older.Store(true)
	}
	if err != nil && !wire.IsOneOf(err, net.ErrClosed, os.ErrClosed) { // not if the transport itself closed it
		n.failed.CompareAndSwap(nil, &err)
	}
	return read, err
}

// cause returns the reason why the call failed: what the server did, if the transport or the connection shows it;
// otherwise the error that the connection noted or, without one, the transport's.
func (n *noting) cause(err error) error {
	failed := n.failed.Load()
	switch {
	case n.older.Load():
		return errors.New("not gRPC: the server uses HTTP/1")
	case strings.Contains(err.Error(), "REFUSED_STREAM"):
		return errors.New("the server refused the call (REFUSED_STREAM)")
	case strings.Contains(err.Error(), "graceful shutdown GOAWAY"):
		return errors.New("the server is shutting down (GOAWAY)")
	case failed != nil:
		return *failed
	case errors.Is(err, context.DeadlineExceeded):
		return os.ErrDeadlineExceeded // the same error as from the connection
	}
	return err
}

// question returns the message HealthCheckRequest, whose field 1 is the service.
func (c *grpc) question() []byte {
	var body []byte
	if c.service != "" {
		body = append(binary.AppendUvarint([]byte{1<<3 | 2}, uint64(len(c.service))), c.service...)
	}
	return append(binary.BigEndian.AppendUint32([]byte{0}, uint32(len(body))), body...)
}

// judgeCall returns an error unless the status of the call is 0 (OK).
func (c *grpc) judgeCall(status, message string) error {
	switch status {
	case "0":
		return nil
	case "":
		return errors.New("not gRPC: the answer has no grpc-status")
	case "5":
		return fmt.Errorf("the server does not know the service %q", c.service)
	case "12":
		return errors.New("the server has no health service (grpc.health.v1)")
	}
	return fmt.Errorf("grpc-status %s: %s", wire.Show(status), wire.Excerpt(message))
}

// judgeHealth reads the message HealthCheckResponse, whose field 1 is the status.
func judgeHealth(message []byte) (string, error) {
	if len(message) < grpcHead || message[0] != 0 ||
		int(binary.BigEndian.Uint32(message[1:])) != len(message)-grpcHead {
		return "", errors.New("not gRPC: the answer is not a message")
	}
	body, status := message[grpcHead:], uint64(0)
	for len(body) > 0 {
		key, n := binary.Uvarint(body)
		value, m := binary.Uvarint(body[max(n, 0):])
		if n <= 0 || m <= 0 || key&7 != 0 {
			return "", errors.New("the answer is not a health status")
		}
		if key>>3 == 1 {
			status = value
		}
		body = body[n+m:]
	}
	names := []string{"UNKNOWN", "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN"}
	if status >= uint64(len(names)) {
		return "", fmt.Errorf("the health status is %d", status)
	}
	if names[status] != "SERVING" {
		return "", mismatch("the health status is %s", names[status])
	}
	return names[status], nil
}
