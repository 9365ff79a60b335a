package checker

import (
	"context"
	"net/netip"
	"time"

	"ldirectord/checker/icmp"
	"ldirectord/checker/wire"
)

// Light is a check that begins with a connection and at most one request. The loop makes it without a goroutine of
// its own, unless something in it has to wait.
type Light interface {
	Checker
	// Opening is how the check begins; ok is false for one that needs a goroutine.
	Opening() (o Opening, ok bool)
	// Resume is the rest of the check, over a connection on which the request was sent.
	Resume(ctx context.Context, c *wire.Conn, deadline time.Time) Result
}

// Guided is a check that begins with another one, which goes its own way, and whose answer may not count. If that one
// is light, the loop makes it.
type Guided interface {
	Checker
	// First is the check that it begins with.
	First() Checker
	// Way is how that one goes from now on, as far as that is known without waiting: if not, Check makes it all.
	Way(now time.Time) (via *wire.Via, ok bool)
	// Confirm reports for each of these checks, of which it is one, whether its answer, a success, counts. One of
	// them speaks for all of a Pool. It takes a moment.
	Confirm(ctx context.Context, all []Guided) []bool
	// Finish makes the result of an answer that was not confirmed.
	Finish(ctx context.Context, r Result) Result
}

// LightOf is the light check that a check is, or begins with; nil if there is none.
func LightOf(c Checker) Light {
	if g, ok := c.(Guided); ok {
		c = g.First()
	}
	l, _ := c.(Light)
	return l
}

// Opening is how a light check begins.
type Opening struct {
	Ping    *pingCheck // instead of a connection, if not nil
	To      netip.AddrPort
	Request []byte // none: the check is made when there is a connection
	Timeout time.Duration
	Via     *wire.Via // of the first connection; nil: the usual way
}

// Echoer sends many echo requests at once (icmp.Pinger).
type Echoer interface {
	Send([]*icmp.Echo)
	Forget(*icmp.Echo) bool
	Rest(*icmp.Echo, time.Duration) (time.Duration, error)
}
