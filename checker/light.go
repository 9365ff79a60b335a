package checker

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"time"

	"ldirectord/checker/icmp"
)

// lightCheck is a check that begins with a connection and at most one request. The loop makes it without a goroutine of
// its own, unless something in it has to wait.
type lightCheck interface {
	Checker
	// opening is how the check begins; ok is false for one that needs a goroutine.
	opening() (o opening, ok bool)
	// resume is the rest of the check, over a connection on which the request was sent.
	resume(ctx context.Context, c *conn, deadline time.Time) Result
}

// Guided is a check that begins with another one, which goes its own way, and whose answer may not count. If that one
// is light, the loop makes it.
type Guided interface {
	Checker
	// First is the check that it begins with.
	First() Checker
	// Way is how that one goes from now on, as far as that is known without waiting: if not, Check makes it all.
	Way(now time.Time) (via *Via, ok bool)
	// Confirm reports for each of these checks, of which it is one, whether its answer, a success, counts. One of
	// them speaks for all of a Pool. It takes a moment.
	Confirm(ctx context.Context, all []Guided) []bool
	// Finish makes the result of an answer that was not confirmed.
	Finish(ctx context.Context, r Result) Result
}

// lightOf is the light check that a check is, or begins with; nil if there is none.
func lightOf(c Checker) lightCheck {
	if g, ok := c.(Guided); ok {
		c = g.First()
	}
	l, _ := c.(lightCheck)
	return l
}

// opening is how a light check begins.
type opening struct {
	ping    *pingCheck // instead of a connection, if not nil
	to      netip.AddrPort
	request []byte // none: the check is made when there is a connection
	timeout time.Duration
	via     *Via // of the first connection; nil: the usual way
}

// echoer sends many echo requests at once (icmp.Pinger).
type echoer interface {
	Send([]*icmp.Echo)
	Forget(*icmp.Echo) bool
	Rest(*icmp.Echo, time.Duration) (time.Duration, error)
}

// received is a connection of which a part was read. The loop has no more than that part, and must not wait.
type received struct {
	net.Conn        // where more comes from; nil in the loop
	head     []byte // what was read
	err      error  // after head, in the loop: io.EOF, or why no more comes; nil if more may come
	short    bool   // the check needs more than head
	waits    bool   // the check would wait for something else: a slot, or another connection
}

// errWaits ends what would wait in the loop. Nobody sees it: a goroutine makes the check again from what was received.
var errWaits = errors.New("not without a goroutine")

// Read implements net.Conn.
func (r *received) Read(p []byte) (int, error) {
	switch {
	case len(r.head) > 0:
		n := copy(p, r.head)
		r.head = r.head[n:]
		return n, nil
	case r.Conn != nil:
		return r.Conn.Read(p)
	case r.err != nil:
		return 0, r.err
	}
	r.short = true
	return 0, errWaits
}

// Close implements net.Conn.
func (r *received) Close() error {
	if r.Conn == nil {
		return nil
	}
	return r.Conn.Close()
}

// inLoop is what was received of a connection, if there is no more than that; else nil.
func (c *conn) inLoop() *received {
	if c == nil {
		return nil
	}
	if r, ok := c.Conn.(*received); ok && r.Conn == nil {
		return r
	}
	return nil
}

// connectFault is a connection that did not come about in the time for it, in the operator's words.
func connectFault(err error, timeout time.Duration) error {
	if isTimeout(err) {
		return AtConnect.of(&fault{fmt.Sprintf("connect: no answer in %v", timeout), err})
	}
	return AtConnect.of(stageFault("connect", err))
}
