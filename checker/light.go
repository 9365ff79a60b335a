package checker

import (
	"context"
	"net/netip"
	"time"

	"ldirectord/checker/wire"
)

// Light is a check that begins with a ping, or with a connection and at most one request. The loop of internal/schedule
// begins it without a goroutine, and usually finishes it without one.
type Light interface {
	Checker
	// Opening returns the first step of the check; ok is false if the check needs a goroutine.
	Opening() (o Opening, ok bool)
	// Resume continues the check on a connection, within the connection's deadline, after the request has been
	// sent. In the loop the connection is nil if the check only connects. Otherwise the loop calls Resume again
	// when more of the answer has arrived.
	Resume(ctx context.Context, c *wire.Conn) Result
}

// Guided is a check that starts with another check, on a special path. The answer to that first check does not always
// count. If the first check is light, the loop runs it.
type Guided interface {
	Checker
	// First returns the check that this one starts with.
	First() Checker
	// Way returns the path of the first check. If ok is false, the path can't be determined without waiting, and
	// Check makes the whole check.
	Way(now time.Time) (via *wire.Via, ok bool)
	// Confirm reports, for each of the given checks, whether the answer to its first check counts. All these first
	// checks have succeeded. Confirm is called on one of the given checks, and may take a moment.
	Confirm(ctx context.Context, all []Guided) []bool
	// Finish returns the result of the whole check if the first check failed with r, or passed without being
	// confirmed.
	Finish(ctx context.Context, r Result) Result
}

// LightOf returns c or, if c is guided, the check that c starts with. It returns nil if that check is not light.
func LightOf(c Checker) Light {
	if g, ok := c.(Guided); ok {
		c = g.First()
	}
	l, _ := c.(Light)
	return l
}

// Opening is the first step of a light check.
type Opening struct {
	Ping    *Ping // instead of a connection, if not nil
	To      netip.AddrPort
	Request []byte // empty: the connection alone is the check, unless Line is set
	Line    int    // if not 0, the loop reads the whole answer, which is a line of at most this many bytes
	Timeout time.Duration
	Via     *wire.Via // the path of the first connection; nil: the usual one
}
