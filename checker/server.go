package checker

import (
	"context"
	"net/netip"
	"time"

	"ldirectord/checker/wire"
)

// server is where a check connects, and how long the check may take.
type server struct {
	target  netip.AddrPort
	timeout time.Duration
}

// serverOf is the server of a full check.
func serverOf(s Spec) server { return server{s.Target, s.NegotiateTimeout} }

func (s server) dial(ctx context.Context) (*wire.Conn, error) {
	return wire.Connect(ctx, s.target, s.timeout)
}

// question is a request over UDP to the server, of a protocol whose answers name their question.
func (s server) question(resend time.Duration) wire.Question {
	return wire.Question{To: s.target, Timeout: s.timeout, Resend: resend, Patience: wire.MaxStrays}
}

// opening is the first step of a check that connects to the server, if its address has a port.
func (s server) opening(request []byte) (Opening, bool) {
	return Opening{To: s.target, Request: request, Timeout: s.timeout}, s.target.Port() != 0
}
