package checker

import (
	"context"
	"net/netip"
	"time"

	"ldirectord/checker/icmp"
	"ldirectord/checker/wire"
)

// Light is a check that begins with a connection and at most one request. The loop runs it without a goroutine, unless
// it has to wait for something else.
type Light interface {
	Checker
	// Opening returns the first step of the check; ok is false if it needs a goroutine.
	Opening() (o Opening, ok bool)
	// Resume continues the check on a connection, within its deadline, after the request was sent.
	Resume(ctx context.Context, c *wire.Conn) Result
}

// Guided is a check that starts with another check, on a path of its own, whose answer may not count. If that one is
// light, the loop runs it.
type Guided interface {
	Checker
	// First returns the check that it starts with.
	First() Checker
	// Way returns the path of the first check, if it is known without waiting; otherwise Check does everything.
	Way(now time.Time) (via *wire.Via, ok bool)
	// Confirm reports for each of these checks, all successful, whether the answer counts. It is called on one of
	// them. It takes a moment.
	Confirm(ctx context.Context, all []Guided) []bool
	// Finish returns the result for an answer that was not confirmed.
	Finish(ctx context.Context, r Result) Result
}

// server is where a check connects, and how long the check may take.
type server struct {
	target  netip.AddrPort
	timeout time.Duration
}

// server is the server of a full check.
func (s Spec) server() server { return server{s.Target, s.NegotiateTimeout} }

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

// LightOf returns the light check that a check is, or starts with; nil if there is none.
func LightOf(c Checker) Light {
	if g, ok := c.(Guided); ok {
		c = g.First()
	}
	l, _ := c.(Light)
	return l
}

// Opening is the first step of a light check.
type Opening struct {
	Ping    *pingCheck // instead of a connection, if not nil
	To      netip.AddrPort
	Request []byte // empty: the connection alone is the check, unless it reads a line
	Line    int    // the answer is a line of that many bytes at most: the loop reads all of it
	Timeout time.Duration
	Via     *wire.Via // the path of the first connection; nil: the usual one
}

// Echoer sends many echo requests at once (icmp.Pinger).
type Echoer interface {
	Send([]*icmp.Echo)
	Forget(*icmp.Echo) bool
	Rest(*icmp.Echo, time.Duration) (time.Duration, error)
}
